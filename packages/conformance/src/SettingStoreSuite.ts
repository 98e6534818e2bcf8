/** What `SettingStore` promises. */
import { assert } from "@effect/vitest"
import { SettingStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { anId } from "./World.ts"

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`SettingStore (${name})`, stores, (it) => {
    it.effect("keeps one generation for as long as the store lives", () =>
      Effect.gen(function* () {
        const settings = yield* SettingStore.SettingStore
        const generation = yield* settings.generation
        assert.isAbove(generation.length, 15)
        yield* settings.set(anId(), "something")
        assert.strictEqual(yield* settings.generation, generation)
      })
    )

    it.effect("answers the newest value, and null for what nobody set", () =>
      Effect.gen(function* () {
        const settings = yield* SettingStore.SettingStore
        const key = anId()
        assert.strictEqual(yield* settings.get(key), null)
        yield* settings.set(key, "1")
        yield* settings.set(key, "2")
        assert.strictEqual(yield* settings.get(key), "2")
      })
    )

    it.effect("lets the first claim stand", () =>
      Effect.gen(function* () {
        const settings = yield* SettingStore.SettingStore
        const key = anId()
        assert.strictEqual(yield* settings.claim(key, "first"), "first")
        assert.strictEqual(yield* settings.claim(key, "second"), "first")
        assert.strictEqual(yield* settings.get(key), "first")
      })
    )

    it.effect("answers the same to everybody who claims at once", () =>
      Effect.gen(function* () {
        const settings = yield* SettingStore.SettingStore
        const key = anId()
        const answers = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, index) => `claim ${index}`),
          (value) => settings.claim(key, value),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(answers).size, 1)
        assert.strictEqual(yield* settings.get(key), answers[0])
      })
    )

    it.effect("tells exactly one caller that it removed a value", () =>
      Effect.gen(function* () {
        const settings = yield* SettingStore.SettingStore
        const key = anId()
        yield* settings.set(key, "secret")
        const removed = yield* Effect.replicateEffect(settings.remove(key), 10, { concurrency: "unbounded" })
        assert.strictEqual(removed.filter((each) => each).length, 1)
        assert.strictEqual(yield* settings.get(key), null)
      })
    )
  })
