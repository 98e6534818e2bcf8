/** A bucket's window as an answer shows it at an instant. */
import { ConfigDelivery, Instant, Quota } from "@vpnmgr/core"

const finite = (at: Instant.Instant) => (at === Instant.never ? null : at)

/** Usage and window of now: one that has ended and was not turned yet shows the next one, empty. */
export const of = (bucket: Quota.Bucket, now: Instant.Instant) => {
  const { start, end } = bucket.window.end < now ? Quota.windowAt(bucket, now) : bucket.window
  return {
    usedBytes: ConfigDelivery.usedBytes(bucket, now),
    windowStart: start === 0 ? null : start,
    windowEnd: finite(end)
  }
}

/** Until when a bucket is exhausted: null = it is not, `Infinity` = not by itself. */
export const exhaustedUntil = (bucket: Quota.Bucket | null, now: Instant.Instant): Instant.Instant | null => {
  const until = bucket?.exhaustedUntil ?? null
  return until !== null && until > now ? until : null
}
