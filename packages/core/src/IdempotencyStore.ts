/** The port to requests that were answered already, by the key their sender gave them. */
import { Context, type Effect } from "effect"
import type { Instant } from "./Instant.ts"
import type { StoreError } from "./Transaction.ts"

/** A key belongs to whoever sent it: two people's equal keys have nothing to do with each other. */
export interface Scope {
  readonly actorId: string
  /** 1 to 255 visible ASCII characters. */
  readonly key: string
}

/** What was answered, and to what. */
export interface Kept {
  /** SHA-256 (hex) of the request; stored sealed, for a request may hold a password. */
  readonly fingerprint: string
  /** Opaque here; stored sealed, for answers name what only their asker may know. */
  readonly answer: string
}

/** Who has the key: the asking transaction until its end, another one that has not ended, or nobody any more. */
export type Claim = { readonly _tag: "Mine" } | { readonly _tag: "InProgress" } | ({ readonly _tag: "Answered" } & Kept)

export class IdempotencyStore extends Context.Service<
  IdempotencyStore,
  {
    /**
     * Takes a key for the transaction at hand, which must be one. Answers kept before `since` are forgotten. A store that
     * runs transactions one at a time lets the second wait; one that runs them side by side says `InProgress` at once.
     */
    readonly claim: (scope: Scope, since: Instant) => Effect.Effect<Claim, StoreError>
    /** Keeps the answer of the key that this transaction claimed. */
    readonly keep: (scope: Scope, kept: Kept, at: Instant) => Effect.Effect<void, StoreError>
    /** Drops answers kept before an instant, oldest first, at most `limit`; says how many. */
    readonly forget: (before: Instant, limit: number) => Effect.Effect<number, StoreError>
  }
>()("@vpnmgr/core/IdempotencyStore") {}
