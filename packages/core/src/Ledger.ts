/**
 * Changes buckets: locks them, moves them into the window of now, counts again what that window holds, weighs it and
 * tells the nodes. Every change of a limit, period, anchor, owner's allowance or reset goes through here, so that a
 * raised limit or a new window lets a subscription back in without anybody's help.
 */
import { Effect } from "effect"
import * as Audit from "./Audit.ts"
import type { BucketKey } from "./BucketStore.ts"
import { BucketStore } from "./BucketStore.ts"
import * as Instant from "./Instant.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import type { Bucket } from "./Quota.ts"
import * as Quota from "./Quota.ts"
import { Transaction } from "./Transaction.ts"

/** Buckets turned in one transaction at most. */
const turnAtOnce = 500

/** Puts locked buckets into the window of `now`, with its usage and whether it is exhausted. */
const settle = Effect.fnUntraced(function* (locked: ReadonlyArray<Bucket>, now: Instant.Instant) {
  const buckets = yield* BucketStore
  const moved = locked.map((bucket) => ({ ...bucket, window: Quota.windowAt(bucket, now) }))
  const used = yield* buckets.recount(moved)
  const weighed = moved.map((bucket) => {
    const counted = { ...bucket, used: used.get(bucket.id) ?? 0n }
    return { ...counted, exhaustedUntil: Quota.weigh(counted) }
  })
  yield* buckets.save(weighed)
  return weighed
})

/** Changes buckets and tells their nodes. Runs inside the caller's transaction; answers them as they stand then. */
export const change = Effect.fn("Ledger.change")(function* (
  keys: ReadonlyArray<BucketKey>,
  patch: (bucket: Bucket) => Bucket
) {
  if (keys.length === 0) return []
  const buckets = yield* BucketStore
  const nodeStates = yield* NodeStateStore
  const locked = yield* buckets.lock(keys)
  const settled = yield* settle(locked.map(patch), yield* Instant.now)
  yield* nodeStates.markBuckets(keys)
  return settled
})

/** Cuts the current window in two at this moment: what was reported for before counts before. */
export const reset = Effect.fn("Ledger.reset")(function* (key: BucketKey) {
  const buckets = yield* BucketStore
  yield* buckets.lock([key])
  const now = yield* Instant.now
  yield* buckets.recordCut(key, now)
  return yield* change([key], (bucket) => ({ ...bucket, cut: now }))
})

/** Turns these buckets into the window of now. Nodes are told of those that were exhausted. */
export const turn = Effect.fn("Ledger.turn")(function* (keys: ReadonlyArray<BucketKey>) {
  const transaction = yield* Transaction
  const buckets = yield* BucketStore
  const nodeStates = yield* NodeStateStore
  yield* transaction.run(
    Effect.gen(function* () {
      const locked = yield* buckets.lock(keys)
      const now = yield* Instant.now
      const due = locked.filter((bucket) => Quota.isStale(bucket, now))
      if (due.length === 0) return
      yield* settle(due, now)
      yield* nodeStates.markBuckets(due.filter((bucket) => bucket.exhaustedUntil !== null))
    })
  )
})

/** Turns every bucket whose window has ended; answers how many there were. Work follows what is due. */
export const turnDue = Effect.gen(function* () {
  const buckets = yield* BucketStore
  let turned = 0
  for (;;) {
    const keys = yield* buckets.due(yield* Instant.now, turnAtOnce)
    if (keys.length === 0) return turned
    yield* turn(keys)
    turned += keys.length
  }
})

/**
 * Weighs every bucket, and mends those whose exhaustion is not what weighing says: after a restore, or a change that a
 * hand made in the database. What is found is locked and counted again, and audited; answers how many there were.
 */
export const mend = Effect.gen(function* () {
  const transaction = yield* Transaction
  const buckets = yield* BucketStore
  let mended = 0
  let first: string | undefined
  for (;;) {
    const keys = yield* buckets.misjudged(turnAtOnce)
    if (keys.length === 0) return mended
    if (keys[0]!.id === first) return yield* Effect.die(new Error(`the bucket ${first} cannot be mended`))
    first = keys[0]!.id
    yield* transaction.run(
      Effect.gen(function* () {
        yield* change(keys, (bucket) => bucket)
        yield* Audit.record({
          action: "bucket.mend",
          targetType: "bucket",
          targetId: keys[0]!.id,
          meta: { buckets: keys.length }
        })
      })
    )
    mended += keys.length
  }
})
