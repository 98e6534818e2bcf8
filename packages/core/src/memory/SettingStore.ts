/** Settings in memory; the generation is as old as the layer. */
import { Effect, HashMap, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { Hex } from "effect/encoding"
import { SettingStore } from "../SettingStore.ts"
import { Memory } from "./Memory.ts"
import { find } from "./Tables.ts"

/** Where the generation stands among the settings. */
export const generationKey = "generation"

export const layer = Layer.effect(
  SettingStore,
  Effect.gen(function* () {
    const { read, write } = yield* Memory
    const random = yield* SecureRandom.SecureRandom

    const get = (key: string) => read(({ settings }) => find(settings, key) ?? null)
    const set = (key: string, value: string) =>
      write((tables) => {
        tables.settings = HashMap.set(tables.settings, key, value)
      })
    yield* set(generationKey, Hex.encode(yield* random.randomBytes(16)))

    return SettingStore.of({
      generation: Effect.map(get(generationKey), (generation) => generation!),
      get,
      set,
      claim: (key, value) =>
        write((tables) => {
          const standing = find(tables.settings, key)
          if (standing !== undefined) return standing
          tables.settings = HashMap.set(tables.settings, key, value)
          return value
        }),
      remove: (key) =>
        write((tables) => {
          const stood = HashMap.has(tables.settings, key)
          tables.settings = HashMap.remove(tables.settings, key)
          return stood
        })
    })
  })
).pipe(Layer.provide(SecureRandom.layerWebCrypto))
