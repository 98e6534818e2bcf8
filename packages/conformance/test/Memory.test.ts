import { MemoryStores } from "@vpnmgr/core"
import { StoreSuites } from "../src/index.ts"

StoreSuites.suite("memory", MemoryStores.layer, { sideBySide: false })
