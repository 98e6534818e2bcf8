/** Subscriptions as answers show them, by the clock of the answer. */
import type { Subscriptions as Contract } from "@vpnmgr/api"
import {
  type BucketStore,
  Instant,
  type Quota,
  type Subscription,
  type Subscriptions,
  type Transaction,
  Verdict
} from "@vpnmgr/core"
import { Effect } from "effect"
import * as WindowView from "./WindowView.ts"

interface Stood {
  readonly subscription: Subscription.Subscription
  readonly bucket: Quota.Bucket
  readonly ownerBucket: Quota.Bucket | null
}

const summary = ({ subscription, bucket, ownerBucket }: Stood, now: Instant.Instant): Contract.SubscriptionSummary => {
  const { link, credential: _, ...fields } = subscription
  const own = WindowView.exhaustedUntil(bucket, now)
  const owner = WindowView.exhaustedUntil(ownerBucket, now)
  const until = Math.max(own ?? 0, owner ?? 0)
  const { state } = Verdict.at(
    {
      isSuspended: subscription.isSuspended,
      expiresAt: subscription.expiresAt,
      ownExhaustedUntil: bucket.exhaustedUntil,
      ownerExhaustedUntil: ownerBucket?.exhaustedUntil ?? null
    },
    now
  )
  return {
    ...fields,
    ...WindowView.of(bucket, now),
    state,
    isOverLimit: own !== null || owner !== null,
    overLimitUntil: until === 0 || until === Instant.never ? null : until,
    configPath: `/s/${link}`
  }
}

/** One subscription, with where its newest change stands. */
export const whole = (standing: Subscriptions.Standing, now: Instant.Instant): Contract.SubscriptionView => ({
  ...summary(standing, now),
  convergence: standing.convergence,
  pendingNodeIds: standing.convergence.filter(({ converged }) => !converged).map(({ nodeId }) => nodeId)
})

/** Many subscriptions, their buckets read at once. */
export const summarize = (
  buckets: BucketStore.BucketStore["Service"]
): ((
  found: ReadonlyArray<Subscription.Subscription>
) => Effect.Effect<ReadonlyArray<Contract.SubscriptionSummary>, Transaction.StoreError>) =>
  Effect.fnUntraced(function* (found: ReadonlyArray<Subscription.Subscription>) {
    const owners = new Set(found.flatMap(({ ownerId }) => (ownerId === null ? [] : [ownerId])))
    const read = yield* buckets.read([
      ...found.map(({ id }) => ({ kind: "subscription" as const, id })),
      ...Array.from(owners, (id) => ({ kind: "owner" as const, id }))
    ])
    const known = new Map(read.map((bucket) => [`${bucket.kind} ${bucket.id}`, bucket]))
    const now = yield* Instant.now
    return found.flatMap((subscription) => {
      const bucket = known.get(`subscription ${subscription.id}`)
      const ownerBucket = known.get(`owner ${subscription.ownerId}`) ?? null
      return bucket === undefined ? [] : [summary({ subscription, bucket, ownerBucket }, now)]
    })
  })
