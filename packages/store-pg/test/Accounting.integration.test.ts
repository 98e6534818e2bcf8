/** The accounting property on PostgreSQL and on PGlite: the same histories, the same sums. */
import { AccountingProperty } from "@vpnmgr/conformance"
import { describe } from "vitest"
import { database, pglite, postgres, skipped } from "./Databases.ts"

const url = await database()

describe.skipIf(skipped !== "")(`PostgreSQL${skipped}`, () => {
  AccountingProperty.suite("PostgreSQL", postgres(url), { runs: 8 })
})

AccountingProperty.suite("PGlite", pglite, { runs: 2 })
