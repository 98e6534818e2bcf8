/** The port to credentials and the pool of spares. Secrets are encrypted at rest by the store. */
import { Context, type Effect } from "effect"
import type { CredentialRef } from "./Credential.ts"
import type { Instant } from "./Instant.ts"
import type { StoreError } from "./Transaction.ts"

export interface Pool {
  /** Spares that nodes are told of. */
  readonly spares: number
  /** Credentials in use that nodes are not told of yet: made while the pool was empty. */
  readonly unreleased: number
  /** Given out in the seven days before `now`. */
  readonly takenLastWeek: number
}

export class CredentialStore extends Context.Service<
  CredentialStore,
  {
    /** Adds spares with these secrets; `released` ones are in node states at once. Answers their refs, new numbers. */
    readonly insert: (
      secrets: ReadonlyArray<Uint8Array>,
      released: boolean
    ) => Effect.Effect<ReadonlyArray<CredentialRef>, StoreError>
    /**
     * Takes a released spare out of the pool for a subscription, passing over those another transaction is taking
     * (`FOR UPDATE SKIP LOCKED`). Prefers one that every node of `inboundIds` that is active has confirmed. Null when
     * there is none.
     */
    readonly take: (
      subscriptionId: string,
      inboundIds: ReadonlyArray<string>,
      now: Instant
    ) => Effect.Effect<CredentialRef | null, StoreError>
    /** Gives a credential that is no released spare to a subscription. */
    readonly assign: (ref: CredentialRef, subscriptionId: string, now: Instant) => Effect.Effect<void, StoreError>
    /** Ends a credential for ever and erases its secret. Which subscription had it stays known, for late bytes. */
    readonly retire: (ref: CredentialRef, at: Instant) => Effect.Effect<void, StoreError>
    /** Lets nodes know of every unreleased credential; answers the refs. */
    readonly release: Effect.Effect<ReadonlyArray<CredentialRef>, StoreError>
    /** Credentials given to a subscription after `since`, retired or not: nodes that know them as spares may forget them. */
    readonly takenSince: (since: Instant) => Effect.Effect<ReadonlyArray<CredentialRef>, StoreError>
    readonly pool: (now: Instant) => Effect.Effect<Pool, StoreError>
  }
>()("@vpnmgr/core/CredentialStore") {}
