import { assert, describe, it } from "@effect/vitest"
import { VaultSuite } from "@vpnmgr/conformance"
import { Vault } from "@vpnmgr/core"
import { NodeVault } from "@vpnmgr/store-pg"
import { Effect, Redacted } from "effect"

const key = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))

VaultSuite.suite("of Node", NodeVault.layer(key(1)), NodeVault.layer(key(2)))

describe("NodeVault", () => {
  it.effect("opens what core's vault sealed, and the other way round", () =>
    Effect.gen(function* () {
      const vault = Effect.map(Vault.Vault, (found) => found)
      const ours = yield* Effect.provide(vault, NodeVault.layer(key(1)))
      const cores = yield* Effect.provide(vault, Vault.Vault.layer(key(1)))
      const words = [new Uint8Array(0), new Uint8Array(32).fill(3), new TextEncoder().encode("Grüße ".repeat(500))]
      for (const word of words) {
        const [there, back] = [yield* ours.seal("a|b|1", word), yield* cores.seal("a|b|1", word)]
        assert.strictEqual(there.length, back.length)
        assert.deepStrictEqual(Array.from(there.subarray(0, 4)), Array.from(back.subarray(0, 4)))
        assert.deepStrictEqual(Array.from(yield* cores.open("a|b|1", there)), Array.from(word))
        assert.deepStrictEqual(Array.from(yield* ours.open("a|b|1", back)), Array.from(word))
        assert.strictEqual((yield* Effect.flip(ours.open("a|b|2", back)))._tag, "SealBroken")
      }
    })
  )
})
