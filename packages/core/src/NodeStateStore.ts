/**
 * The port to what nodes are to be told: which items are dirty, which revision each item was last changed at, and the
 * facts a state is composed of.
 */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { AppliedReport, NodeConvergence } from "./Convergence.ts"
import type { CredentialRef } from "./Credential.ts"
import type { Inbound } from "./Inbound.ts"
import type { Instant } from "./Instant.ts"
import type { Bucket } from "./Quota.ts"
import type { BucketKey } from "./BucketStore.ts"
import type { StoreError } from "./Transaction.ts"

/** One credential that a node must know: a released spare, or a released one of a subscription linked on the node. */
export interface RosterEntry {
  readonly ref: CredentialRef
  readonly secret: Uint8Array
  /** Null for a spare. */
  readonly subscription: {
    readonly isSuspended: boolean
    readonly expiresAt: Instant | null
    /** Refs of this node's inbounds it is linked to. */
    readonly inbounds: ReadonlyArray<number>
    readonly bucket: number
    /** Its owner's bucket; null without an owner. */
    readonly ownerBucket: number | null
  } | null
}

/** All that a state, or a difference, is composed of; read in one snapshot. */
export interface StateFacts {
  readonly generation: string
  readonly revision: number
  /** The newest batch of this node that was applied. */
  readonly asOf: { readonly spool: string; readonly seq: number } | null
  /** All of the node's inbounds, in a difference too: a credential signs in at each of them. */
  readonly inbounds: ReadonlyArray<Inbound>
  readonly credentials: ReadonlyArray<RosterEntry>
  readonly buckets: ReadonlyArray<Bucket>
  /** For a difference: refs of the items changed since, found or not. Null when the state is whole. */
  readonly changed: {
    readonly inbounds: ReadonlyArray<number>
    readonly credentials: ReadonlyArray<number>
    readonly buckets: ReadonlyArray<number>
  } | null
}

/** A poll that waits, and what its node had when it began to. */
export interface Waiting {
  readonly nodeId: string
  readonly tokenId: string
  readonly generation: string
  readonly revision: number
}

/** Whose config may be another one now: that of subscriptions, of all whom an owner has, or of anybody. */
export type Changed =
  | { readonly kind: "subscription" | "owner"; readonly ids: ReadonlyArray<string> }
  | { readonly kind: "everything" }

export class NodeStateStore extends Context.Service<
  NodeStateStore,
  {
    /** Marks the credentials and buckets of subscriptions on every node that has, or ever had, an inbound of theirs. */
    readonly markSubscriptions: (ids: ReadonlyArray<string>) => Effect.Effect<void, StoreError>
    /** Marks a credential by its ref on the nodes of these inbounds: for one that was just retired or rotated away. */
    readonly markCredential: (ref: CredentialRef, subscriptionId: string) => Effect.Effect<void, StoreError>
    /** Marks spares on every node that has an inbound. */
    readonly markSpares: (refs: ReadonlyArray<CredentialRef>) => Effect.Effect<void, StoreError>
    /** Marks buckets on the nodes where a subscription that draws from them is linked. */
    readonly markBuckets: (keys: ReadonlyArray<BucketKey>) => Effect.Effect<void, StoreError>
    /** Marks inbounds on their nodes, and with them every credential of the node when `roster` is set. */
    readonly markInbounds: (
      ids: ReadonlyArray<string>,
      options: { readonly roster: boolean }
    ) => Effect.Effect<void, StoreError>
    /**
     * Allots a new revision to every node with dirty items, after those were committed: one transaction of its own,
     * one assigner at a time. Answers the nodes that got one, and wakes their waiters.
     */
    readonly assign: Effect.Effect<ReadonlyArray<{ readonly nodeId: string; readonly revision: number }>, StoreError>
    /** Generation and newest revision of a node, and whether a token of it, when one is named, was revoked. Cheap: one row. */
    readonly head: (
      nodeId: string,
      tokenId?: string
    ) => Effect.Effect<
      { readonly generation: string; readonly revision: number; readonly isRevoked: boolean },
      StoreError
    >
    /**
     * Of polls that wait, those whose node has another revision now, whose store another generation, or whose token was
     * revoked: their places in the list, ascending. One statement, however many wait.
     */
    readonly outdated: (waiting: ReadonlyArray<Waiting>) => Effect.Effect<ReadonlyArray<number>, StoreError>
    /** The facts of a whole state (`since` null) or of a difference, in one snapshot. */
    readonly load: (nodeId: string, since: number | null) => Effect.Effect<StateFacts, StoreError>
    /** Keeps a node's word, and the version of the node protocol it spoke. The last error stays when all is well again. */
    readonly recordApplied: (
      nodeId: string,
      report: AppliedReport,
      protocolVersion: string | null,
      at: Instant
    ) => Effect.Effect<void, StoreError>
    /** Wakes whoever waits for a state of the node, on every replica, once this is committed. */
    readonly wake: (nodeId: string) => Effect.Effect<void, StoreError>
    /**
     * Where the newest change of a subscription stands, for every node it is linked on, by node id: converged once its
     * credential is released, nothing of it is dirty, and the node applied the revision it was last changed at.
     */
    readonly convergence: (subscriptionId: string) => Effect.Effect<ReadonlyArray<NodeConvergence>, StoreError>
    /** Emits after a commit that marked something. Lost while the listener is down: whoever waits also looks again. */
    readonly dirtied: Stream.Stream<void>
    /** Emits the ids of nodes that got a revision, on every replica. */
    readonly assigned: Stream.Stream<string>
    /**
     * Tells `hear`, until the scope closes, what `markSubscriptions`, `markBuckets` and `markInbounds` were given: after
     * the commit, on every replica, whether or not a node had to be told; on the replica that makes the change before its
     * transaction answers, too. What was rolled back may be told. Lost while the listener is down.
     */
    readonly hearChanges: (hear: (what: Changed) => void) => Effect.Effect<void, never, Scope.Scope>
    /** False while this replica's listener is down, and until something has come through it. */
    readonly isListening: () => boolean
  }
>()("@vpnmgr/core/NodeStateStore") {}
