import { MemoryStores } from "@vpnmgr/core"
import { AccountingProperty } from "../src/index.ts"

AccountingProperty.suite("memory", MemoryStores.layer, { runs: 100 })
