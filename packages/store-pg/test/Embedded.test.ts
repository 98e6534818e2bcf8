/** What every store promises, on PGlite. */
import { AccountingProperty, StoreSuites } from "@vpnmgr/conformance"
import { Layer } from "effect"
import { pglite } from "./Databases.ts"

StoreSuites.suite("PGlite", Layer.fresh(pglite), { sideBySide: false })
AccountingProperty.suite("PGlite", Layer.fresh(pglite), { runs: 5 })
