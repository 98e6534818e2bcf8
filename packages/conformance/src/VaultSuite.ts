/** What `Vault` promises: what is sealed opens only where it was sealed, and with the same key. */
import { assert, layer } from "@effect/vitest"
import { Vault } from "@vpnmgr/core"
import { Effect } from "effect"
import type { Layer } from "effect"

const word = new TextEncoder().encode("a secret of thirty-two characters")

/** Runs the suite on a vault, and on one with another key. */
export const suite = (name: string, vault: Layer.Layer<Vault.Vault>, another: Layer.Layer<Vault.Vault>): void =>
  layer(vault)(`Vault (${name})`, (it) => {
    it.effect("opens what it sealed for the same place", () =>
      Effect.gen(function* () {
        const vault = yield* Vault.Vault
        const sealed = yield* vault.seal("credentials|secret|1", word)
        assert.deepStrictEqual(Array.from(yield* vault.open("credentials|secret|1", sealed)), Array.from(word))
      })
    )

    it.effect("seals the same word differently each time, and never shows it", () =>
      Effect.gen(function* () {
        const vault = yield* Vault.Vault
        const texts = (yield* Effect.replicateEffect(vault.seal("place", word), 20)).map((sealed) => sealed.join())
        assert.strictEqual(new Set(texts).size, 20)
        assert.isFalse(texts.some((text) => text.includes(word.join())))
      })
    )

    it.effect("does not open a value that was moved, damaged or cut short", () =>
      Effect.gen(function* () {
        const vault = yield* Vault.Vault
        const sealed = yield* vault.seal("credentials|secret|1", word)
        const damaged = sealed.map((byte, index) => (index === sealed.length - 1 ? byte ^ 1 : byte))
        for (const [place, value] of [
          ["credentials|secret|2", sealed],
          ["credentials|secret|1", damaged],
          ["credentials|secret|1", sealed.subarray(0, 20)],
          ["credentials|secret|1", new Uint8Array()]
        ] as const) {
          assert.strictEqual((yield* Effect.flip(vault.open(place, value)))._tag, "SealBroken")
        }
      })
    )

    it.effect("does not open with another key", () =>
      Effect.gen(function* () {
        const sealed = yield* (yield* Vault.Vault).seal("place", word)
        const opened = Effect.gen(function* () {
          return yield* (yield* Vault.Vault).open("place", sealed)
        }).pipe(Effect.provide(another))
        assert.strictEqual((yield* Effect.flip(opened))._tag, "SealBroken")
      })
    )
  })
