/** Leases in memory, by the process's clock. */
import { Effect, HashMap, Layer } from "effect"
import * as Instant from "../Instant.ts"
import { LeaseStore } from "../LeaseStore.ts"
import { Memory } from "./Memory.ts"
import { find } from "./Tables.ts"

export const layer = Layer.effect(
  LeaseStore,
  Effect.map(Memory, ({ write }) =>
    LeaseStore.of({
      take: Effect.fnUntraced(function* (name, holder, span) {
        const now = yield* Instant.now
        return yield* write((tables) => {
          const standing = find(tables.leases, name)
          const isMine = standing?.holder === holder
          if (standing !== undefined && !isMine && standing.until > now && standing.until <= now + 2 * span) return null
          const term = standing === undefined ? 1 : isMine ? standing.term : standing.term + 1
          tables.leases = HashMap.set(tables.leases, name, { holder, term, until: now + span })
          return term
        })
      }),
      release: (name, holder) =>
        write((tables) => {
          const standing = find(tables.leases, name)
          if (standing?.holder === holder)
            tables.leases = HashMap.set(tables.leases, name, { ...standing, until: Number.NEGATIVE_INFINITY })
        })
    })
  )
)
