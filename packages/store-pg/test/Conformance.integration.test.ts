/** What every store promises, on PostgreSQL. */
import { AccountingProperty, StoreSuites } from "@vpnmgr/conformance"
import { describe } from "vitest"
import { database, postgres, skipped } from "./Databases.ts"

const url = await database()

describe.skipIf(skipped !== "")(`PostgreSQL${skipped}`, () => {
  StoreSuites.suite("PostgreSQL", postgres(url), { sideBySide: true })
  AccountingProperty.suite("PostgreSQL", postgres(url), { runs: 15 })
})
