/**
 * When raw rows become pieces and spans of use. A report writes its rows and adds to the counters; the rest waits, so that
 * many reports of one subscription cost one change of its piece and one of its span. What waits is counted all the same:
 * pieces and sums are answered with it.
 */
import { Effect } from "effect"
import * as Instant from "./Instant.ts"
import { UsageStore } from "./UsageStore.ts"

/** As long as rows wait at most, milliseconds. A span ends after five idle minutes: nothing is late for want of these. */
export const longestWait = 5 * 60_000

/** More than this many rows do not wait: whoever asks for a sum reads them (some 40 ms at 500,000). */
export const mostWaiting = 500_000

/** So many rows are folded at once for whoever asks for the access log. */
const atOnce = 20_000

/** Folds everything that waits; answers how many rows. */
export const all = Effect.gen(function* () {
  const { fold } = yield* UsageStore
  let folded = 0
  for (let rows = yield* fold; rows > 0; rows = yield* fold) folded += rows
  return folded
})

/** Folds when rows have waited long enough, or when too many do. */
export const due = Effect.gen(function* () {
  const { waiting } = yield* UsageStore
  const found = yield* waiting
  if (found === null) return 0
  const isDue = found.rows >= mostWaiting || found.since <= (yield* Instant.now) - longestWait
  return isDue ? yield* all : 0
})

/** Folds when little waits, so that a small site's access log is never behind. */
export const few = Effect.gen(function* () {
  const { fold, waiting } = yield* UsageStore
  const found = yield* waiting
  if (found !== null && found.rows <= atOnce) yield* fold
})
