/**
 * Slows down guessing: after three failures each further one makes its name wait longer, 1 s doubling to 60 s.
 *
 * Kept in memory and bounded: the name that failed longest ago is forgotten first.
 */
import { Problem } from "@vpnmgr/api"
import { Instant } from "@vpnmgr/core"
import { Effect } from "effect"

const free = 3
const longest = 60_000

interface Failures {
  readonly count: number
  readonly until: Instant.Instant
}

export interface Attempts {
  /** Counts an attempt as failed until `succeeded` says otherwise; refuses one that comes too early. */
  readonly begin: (name: string) => Effect.Effect<void, Problem.TooMany>
  readonly succeeded: (name: string) => Effect.Effect<void>
}

/** How long a name waits after its n-th failure, milliseconds. */
export const delay = (count: number): number => (count < free ? 0 : Math.min(1000 * 2 ** (count - free), longest))

/** Makes an empty memory of `capacity` names. */
export const make = (capacity: number): Attempts => {
  const names = new Map<string, Failures>()
  return {
    begin: Effect.fnUntraced(function* (name: string) {
      const now = yield* Instant.now
      const { count, until } = names.get(name) ?? { count: 0, until: 0 }
      if (until > now) {
        const seconds = Math.ceil((until - now) / 1000)
        return yield* new Problem.TooMany({ detail: `Try again in ${seconds} s`, retry_after: seconds })
      }
      names.delete(name)
      names.set(name, { count: count + 1, until: now + delay(count + 1) })
      if (names.size > capacity) names.delete(names.keys().next().value!)
    }),
    succeeded: (name) => Effect.sync(() => void names.delete(name))
  }
}
