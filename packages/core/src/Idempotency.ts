/**
 * A request that is sent twice is done once. Its answer is kept in the change's own transaction, so there is no moment
 * at which the change stands and the answer is lost.
 */
import { Effect, Schema } from "effect"
import { IdempotencyStore, type Scope } from "./IdempotencyStore.ts"
import * as Instant from "./Instant.ts"
import { Transaction } from "./Transaction.ts"

/** How long an answer is kept, milliseconds. */
export const retention = 86_400_000

/** What came of the work. `answer` is what a repetition is answered; null when nothing may stay of it. */
export interface Done<A> {
  readonly value: A
  readonly answer: string | null
}

/** What came of a request with a key. */
export type Outcome<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Replayed"; readonly answer: string }
  | { readonly _tag: "Reused" }
  | { readonly _tag: "InProgress" }

class Undone extends Schema.TaggedError<Undone>()("Undone", { value: Schema.Any }) {}

/**
 * Does the work unless a request with this key was answered within the last 24 hours. Work with a null answer is rolled
 * back and may be tried again under the same key. The same key with another fingerprint is `Reused`.
 */
export const once = Effect.fn("Idempotency.once")(function* <A, E, R>(
  scope: Scope,
  fingerprint: string,
  work: Effect.Effect<Done<A>, E, R>
) {
  const store = yield* IdempotencyStore
  const transaction = yield* Transaction
  const attempt = Effect.gen(function* () {
    const claim = yield* store.claim(scope, (yield* Instant.now) - retention)
    if (claim._tag === "InProgress") return claim
    if (claim._tag === "Answered") {
      const { answer } = claim
      return claim.fingerprint === fingerprint ? { _tag: "Replayed" as const, answer } : { _tag: "Reused" as const }
    }
    const { value, answer } = yield* work
    if (answer === null) return yield* new Undone({ value })
    yield* store.keep(scope, { fingerprint, answer }, yield* Instant.now)
    return { _tag: "Done" as const, value }
  })
  return yield* transaction.run(attempt).pipe(
    Effect.catchIf(
      (failure): failure is Undone => failure instanceof Undone,
      ({ value }) => Effect.succeed({ _tag: "Done" as const, value: value as A })
    )
  )
})
