/**
 * Writes the audit record of a change, as the acting user, into the change's own transaction. Whoever acts for an
 * operator is the record's actor, and the operator is named in `meta.acting_for`.
 */
import { Effect, type Schema } from "effect"
import type { SecureRandom } from "effect/crypto"
import { Actor } from "./Actor.ts"
import { AuditStore } from "./AuditLog.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"

export interface Change {
  /** Noun and verb, such as `subscription.suspend`. */
  readonly action: string
  readonly targetType: string
  readonly targetId: string
  readonly meta?: Record<string, Schema.Json>
}

/** Appends one record each for the current actor, in the order given. */
export const recordAll = Effect.fn("Audit.record")(function* (changes: ReadonlyArray<Change>) {
  const actor = yield* Actor
  const audit = yield* AuditStore
  const timestamp = yield* Instant.now
  const ids = yield* Effect.replicateEffect(Id.makeAt(timestamp), changes.length)
  yield* audit.append(
    changes.map(({ action, targetType, targetId, meta = {} }, n) => ({
      id: ids[n]!,
      timestamp,
      actorId: actor.by ?? actor.id,
      action,
      targetType,
      targetId,
      meta: actor.by === undefined ? meta : { ...meta, acting_for: actor.id }
    }))
  )
})

/** Appends one record for the current actor. */
export const record = (change: Change) => recordAll([change])

/** What differs between two values of the same shape, in wire names: `{ field: { before, after } }`. */
export const difference = <A extends Record<string, Schema.Json>>(before: A, after: A): Record<string, Schema.Json> =>
  Object.fromEntries(
    Object.keys(after).flatMap((key) =>
      JSON.stringify(before[key]) === JSON.stringify(after[key])
        ? []
        : [[key, { before: before[key] ?? null, after: after[key] ?? null }]]
    )
  )

/** What was, of something that is gone: `{ field: { before, after: null } }`. */
export const gone = (before: Record<string, Schema.Json>): Record<string, Schema.Json> =>
  difference(before, Object.fromEntries(Object.keys(before).map((key) => [key, null])))

/** What `record` needs beside the actor. */
export type Needs = AuditStore | SecureRandom.SecureRandom
