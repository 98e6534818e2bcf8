/** Answers by key in memory. Transactions run one at a time, so a key is never in progress. */
import { Effect, HashMap, Layer } from "effect"
import { IdempotencyStore, type Scope } from "../IdempotencyStore.ts"
import { Memory } from "./Memory.ts"
import { find } from "./Tables.ts"

const keyOf = ({ actorId, key }: Scope): string => `${actorId} ${key}`

export const layer = Layer.effect(
  IdempotencyStore,
  Effect.map(Memory, ({ read, write }) =>
    IdempotencyStore.of({
      claim: (scope, since) =>
        read(({ answers }) => {
          const kept = find(answers, keyOf(scope))
          return kept === undefined || kept.at < since
            ? { _tag: "Mine" as const }
            : { _tag: "Answered" as const, fingerprint: kept.fingerprint, answer: kept.answer }
        }),
      keep: (scope, kept, at) =>
        write((tables) => {
          tables.answers = HashMap.set(tables.answers, keyOf(scope), { ...kept, at })
        }),
      forget: (before, limit) =>
        write((tables) => {
          const old = HashMap.toEntries(tables.answers)
            .filter(([, { at }]) => at < before)
            .sort(([, a], [, b]) => a.at - b.at)
            .slice(0, limit)
          tables.answers = HashMap.removeMany(
            tables.answers,
            old.map(([key]) => key)
          )
          return old.length
        })
    })
  )
)
