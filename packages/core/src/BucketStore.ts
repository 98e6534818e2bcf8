/** The port to buckets: locked by whoever changes them, counted up by reports. */
import { Context, type Effect } from "effect"
import type { Instant } from "./Instant.ts"
import type { Bucket, BucketKind, Weighted } from "./Quota.ts"
import type { StoreError } from "./Transaction.ts"

export interface BucketKey {
  readonly kind: BucketKind
  readonly id: string
}

export class BucketStore extends Context.Service<
  BucketStore,
  {
    /** Stores a bucket (its `ref` is ignored, a new number is given and answered; `used` starts at zero). */
    readonly insert: (bucket: Bucket) => Effect.Effect<number, StoreError>
    /**
     * Locks buckets against every change and every report, subscriptions' before owners', each by id, and reads them.
     * An owner's `used` is the sum over its nodes. Unknown keys are left out.
     */
    readonly lock: (keys: ReadonlyArray<BucketKey>) => Effect.Effect<ReadonlyArray<Bucket>, StoreError>
    /** Reads without locking. */
    readonly read: (keys: ReadonlyArray<BucketKey>) => Effect.Effect<ReadonlyArray<Bucket>, StoreError>
    /** Replaces all but `used`, in one statement. Locked ones only. */
    readonly save: (buckets: ReadonlyArray<Bucket>) => Effect.Effect<void, StoreError>
    /**
     * Counts again what was used in each bucket's window as given, from the pieces that start in it
     * (window.start ≤ at < window.end), stores it and answers it by id. Locked ones only.
     */
    readonly recount: (buckets: ReadonlyArray<Bucket>) => Effect.Effect<ReadonlyMap<string, Weighted>, StoreError>
    /** Remembers a manual reset: pieces are cut there for whatever is reported from now on. */
    readonly recordCut: (key: BucketKey, at: Instant) => Effect.Effect<void, StoreError>
    /** Sets `exhaustedUntil` by id; null clears it. */
    readonly flip: (
      flips: ReadonlyArray<BucketKey & { readonly exhaustedUntil: Instant | null }>
    ) => Effect.Effect<void, StoreError>
    /**
     * Buckets whose stored exhaustion is not what weighing says (`Quota.weigh`), by id; of all of them, or among these.
     * One statement, which changes nothing.
     */
    readonly misjudged: (
      limit: number,
      among?: ReadonlyArray<BucketKey>
    ) => Effect.Effect<ReadonlyArray<BucketKey>, StoreError>
    /** Buckets whose window ended before `now`, soonest first, found by index. */
    readonly due: (now: Instant, limit: number) => Effect.Effect<ReadonlyArray<BucketKey>, StoreError>
  }
>()("@vpnmgr/core/BucketStore") {}
