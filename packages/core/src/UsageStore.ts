/** The port to what was reported. Everything here runs inside the report's own transaction. */
import { Context, type Effect, Schema } from "effect"
import type { Instant } from "./Instant.ts"
import type { Bucket, BucketKind } from "./Quota.ts"
import type { Batch, Entry } from "./TrafficReport.ts"
import type { StoreError } from "./Transaction.ts"
import type { Amount, Facts, Settlement } from "./Usage.ts"
import type { BucketKey } from "./BucketStore.ts"

/** What identifies a batch, and what its sender says of its spool. */
export interface BatchKey {
  readonly nodeId: string
  readonly tokenId: string
  readonly spool: string
  readonly seq: number
  /** `TrafficReport.digest`. */
  readonly digest: string
  /** The lowest seq the spool still holds. */
  readonly lowest: number
  readonly receivedAt: Instant
}

/**
 * New: nothing is known of it. Replay: the same was applied. Conflict: the same key with another digest was applied.
 * Rewound: below what the spool once named as its lowest, so that its key is gone and nobody can tell. No honest spool
 * sends such a batch: it went back in time, brought back from a copy.
 */
export type Admission = "new" | "replay" | "conflict" | "rewound"

/** Why a batch was set aside instead of being counted. */
export type AsideReason = Extract<Admission, "conflict" | "rewound">

export interface Recording {
  readonly key: BatchKey
  readonly from: Instant
  readonly to: Instant
  /** Milliseconds its times were shifted by. */
  readonly shift: number
  readonly settlement: Settlement
}

/** A new batch that is to be counted. */
export interface Counting {
  readonly key: BatchKey
  readonly from: Instant
  readonly to: Instant
  /** Milliseconds its times were shifted by. */
  readonly shift: number
  readonly entries: ReadonlyArray<Entry>
  /** Milliseconds. */
  readonly grain: number
}

/** What of a batch was counted at once. */
export interface Counted {
  /** What was not: it takes `facts`, `Usage.settle` and `record`. */
  readonly rest: ReadonlyArray<Entry>
  /** Buckets that were added to and may be exhausted, or not be any more. */
  readonly weighable: ReadonlyArray<BucketKey>
  /** Owners' buckets whose window ended before the interval did; they must turn, and the batch be counted anew. */
  readonly stale: ReadonlyArray<BucketKey>
}

/** Usage of one inbound in one piece of time (a grain, or the part of one before or after a reset). */
export interface UsagePiece extends Amount {
  readonly inboundId: string
  readonly at: Instant
}

/** What usage is summed by. Days and hours are UTC's. */
export const By = Schema.Literals(["hour", "day", "inbound", "node"])
export type By = typeof By.Type

/** The same for an owner, whose usage is not kept by inbound. */
export const OwnerBy = Schema.Literals(["hour", "day", "node"])
export type OwnerBy = typeof OwnerBy.Type

/** Usage of one hour, day, inbound or node; the other two are null. */
export interface UsageSum extends Amount {
  readonly at: Instant | null
  readonly inboundId: string | null
  readonly nodeId: string | null
}

export class UsageStore extends Context.Service<
  UsageStore,
  {
    /**
     * Claims the batch's key. Whoever comes second waits for the first to commit or roll back. A seq below what the
     * spool once named as its lowest is rewound. When new: remembers the spool's newest seq, prunes keys below `lowest`,
     * marks the node as seen, and as cloned when another spool of the same token reported within the last 60 s.
     */
    readonly admit: (key: BatchKey) => Effect.Effect<Admission, StoreError>
    /** Keeps a batch that is not counted whole, for a person to look at; answers whether it was not kept already. */
    readonly setAside: (key: BatchKey, batch: Batch, reason: AsideReason) => Effect.Effect<boolean, StoreError>
    /**
     * Counts at once the entries that need no look into the past: those of a subscription's newest credential, at an
     * inbound of the node that it is or was linked to, for its owner of now, in its bucket's window of now. What is
     * written is what `Usage.settle` and `record` would have written, under the same locks. A store may leave any entry
     * to them, all of them as well.
     */
    readonly count: (counting: Counting) => Effect.Effect<Counted, StoreError>
    /**
     * Reads what is known of everything the batch names, in a fixed number of statements. Locks the buckets of the
     * subscriptions it adds to, by id, for update; their owners' buckets and the inbounds only against change, so that
     * reports do not queue on an owner.
     */
    readonly facts: (nodeId: string, batch: Batch, to: Instant) => Effect.Effect<Facts, StoreError>
    /**
     * Writes a settlement in a fixed number of statements: rows, pieces, additions to the buckets, owners' usage per
     * (owner, node), quarantine, access log (`AccessLog.continues`). Pieces and the access log may wait for `fold`;
     * whatever answers from pieces counts what waits.
     */
    readonly record: (recording: Recording) => Effect.Effect<void, StoreError>
    /** The buckets a settlement added to, with `used` after it, this transaction's own additions among it. */
    readonly touched: (settlement: Settlement) => Effect.Effect<ReadonlyArray<Bucket>, StoreError>
    /** The first pieces of a subscription with from ≤ at < to, by (at, inbound); all of them without `limit`. */
    readonly pieces: (
      subscriptionId: string,
      from: Instant,
      to: Instant,
      limit?: number
    ) => Effect.Effect<ReadonlyArray<UsagePiece>, StoreError>
    /**
     * What was used of a bucket with from ≤ at < to, summed by one thing, in its order; an owner's never by inbound. What
     * was deleted since counts, too.
     */
    readonly sums: <Kind extends BucketKind>(
      key: { readonly kind: Kind; readonly id: string },
      by: Kind extends "owner" ? OwnerBy : By,
      from: Instant,
      to: Instant
    ) => Effect.Effect<ReadonlyArray<UsageSum>, StoreError>
    /**
     * Brings pieces and the access log up to the raw rows committed so far, each row once, a bounded number of rows at a
     * time; answers how many. Zero: nothing waits, or somebody else is at it. Runs in a transaction of its own.
     */
    readonly fold: Effect.Effect<number, StoreError>
    /** How many rows wait for `fold`, and since when; null when none does. */
    readonly waiting: Effect.Effect<{ readonly rows: number; readonly since: Instant } | null, StoreError>
    /**
     * Drops raw reports older than `before` by whole days, and keys of spools silent since then but the newest of each:
     * its acknowledgement may have been lost. Nothing goes that is not folded. So go batches set aside and entries of the quarantine that somebody applied
     * or dismissed. Usage and open entries stay.
     */
    readonly retain: (before: Instant) => Effect.Effect<void, StoreError>
  }
>()("@vpnmgr/core/UsageStore") {}
