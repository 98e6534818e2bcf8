/** Everything the memory stores hold, as text: equal texts, equal contents. For proofs that nothing was changed. */
import { Context, Effect, HashMap, Layer } from "effect"
import { Memory } from "./Memory.ts"

const sorted = (values: ReadonlyArray<unknown>) => values.map((value) => JSON.stringify(value)).sort()

const plain = (value: unknown): unknown => {
  if (typeof value === "bigint") return `${value}n`
  if (value instanceof Uint8Array) return Array.from(value)
  if (value instanceof Set) return sorted(Array.from(value, plain))
  if (HashMap.isHashMap(value)) return sorted(HashMap.toEntries(value).map(([key, row]) => [key, plain(row)]))
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value
}

export class Contents extends Context.Service<Contents, Effect.Effect<string>>()("@vpnmgr/core/memory/Contents") {
  static readonly layer = Layer.effect(
    Contents,
    Effect.map(Memory, ({ read }) => read((tables) => JSON.stringify(plain(tables))))
  )
}
