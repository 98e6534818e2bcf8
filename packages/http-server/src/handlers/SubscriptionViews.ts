/** Subscriptions as answers show them, by the clock of the answer. */
import type { Subscriptions as Contract } from "@vpnmgr/api"
import { Instant, type Subscriptions } from "@vpnmgr/core"
import * as WindowView from "./WindowView.ts"

/** One subscription of many. */
export const summary = (standing: Subscriptions.Summary, now: Instant.Instant): Contract.SubscriptionSummary => {
  const { subscription, verdict, bucket, ownerBucket, binding, effectiveSpeed } = standing
  const { link, credential: _, ...fields } = subscription
  const own = WindowView.exhaustedUntil(bucket, now)
  const owner = WindowView.exhaustedUntil(ownerBucket, now)
  const until = Math.max(own ?? 0, owner ?? 0)
  return {
    ...fields,
    ...WindowView.of(bucket, now),
    state: verdict.state,
    isOverLimit: own !== null || owner !== null,
    overLimitUntil: until === 0 || until === Instant.never ? null : until,
    binding: binding && {
      bucket: binding.bucket,
      remainingBytes: binding.remaining,
      freesAt: binding.freesAt === Instant.never ? null : binding.freesAt
    },
    effectiveSpeed,
    configPath: `/s/${link}`
  }
}

/** One subscription, with where its newest change stands. */
export const whole = (standing: Subscriptions.Standing, now: Instant.Instant): Contract.SubscriptionView => ({
  ...summary(standing, now),
  convergence: standing.convergence,
  pendingNodeIds: standing.convergence.filter(({ converged }) => !converged).map(({ nodeId }) => nodeId)
})
