/**
 * The port to "all or nothing". What runs inside sees its own writes, is seen whole or not at all, and is tried again
 * when the store says that two of them stood in each other's way.
 */
import { Context, Schema, type Effect } from "effect"

/** The store is away or overloaded; nothing was changed. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  detail: Schema.String
}) {}

/** A name or key is taken. `field` is the wire name of what must be unique. */
export class AlreadyExists extends Schema.TaggedError<AlreadyExists>()("AlreadyExists", { field: Schema.String }) {}

/** Two transactions stood in each other's way more often than they may; nothing was changed. */
export class TooContended extends Schema.TaggedError<TooContended>()("TooContended", {}) {}

/**
 * The store was lost while a change was being made final: it stands whole, or not at all, and nobody said which. Look,
 * or ask for the same again under the same key.
 */
export class Undecided extends Schema.TaggedError<Undecided>()("Undecided", { detail: Schema.String }) {}

export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  reason: Schema.Union([StoreUnavailable, AlreadyExists, TooContended, Undecided])
}) {
  /** What a log says of it. */
  override get message() {
    return "detail" in this.reason ? this.reason.detail : this.reason._tag
  }
}

export class Transaction extends Context.Service<
  Transaction,
  {
    /**
     * Runs `effect` in one transaction: commits when it succeeds, rolls back when it fails, dies or is interrupted.
     * Inside another `run` it joins that one. Deadlocks and serialization failures are retried, at most 10 times with
     * growing, jittered delays, so `effect` must have no effects outside the store.
     *
     * Locks are taken in one global order: buckets of subscriptions by id, then buckets of owners by id, then inbounds
     * by id, then everything else.
     */
    readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>
  }
>()("@vpnmgr/core/Transaction") {}
