import { Vault } from "@vpnmgr/core"
import { Redacted } from "effect"
import { VaultSuite } from "../src/index.ts"

const vault = (byte: number) => Vault.Vault.layer(Redacted.make(new Uint8Array(32).fill(byte)))

VaultSuite.suite("one key", vault(1), vault(2))
