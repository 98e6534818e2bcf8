/** What holds a subscription back: which of its buckets, and which of the two speeds. */
import type { Instant } from "./Instant.ts"
import * as Limits from "./Limits.ts"
import type { Bucket } from "./Quota.ts"
import * as Quota from "./Quota.ts"

/** Whose limit: the subscription's own, or its owner's allowance. */
export type Giver = "own" | "owner"

/** The bucket that binds: the exhausted one that holds longest, else the one that has least left. */
export interface Binding {
  readonly bucket: Giver
  /** Bytes that may still be used in its window; 0 while it is exhausted. */
  readonly remaining: bigint
  /** When its usage starts anew; `Infinity`: not by itself. */
  readonly freesAt: Instant
}

const reading = (giver: Giver, bucket: Bucket, now: Instant) => {
  const isOver = bucket.window.end < now
  const used = isOver ? 0n : Quota.bytes(bucket.used)
  const until = bucket.exhaustedUntil ?? 0
  const isExhausted = until > now
  const left = bucket.maxTraffic === null ? null : bucket.maxTraffic - used
  return {
    bucket: giver,
    isExhausted,
    remaining: isExhausted || left === null || left < 0n ? 0n : left,
    freesAt: isExhausted ? until : isOver ? Quota.windowAt(bucket, now).end : bucket.window.end,
    isFinite: isExhausted || left !== null
  }
}

type Reading = ReturnType<typeof reading>

const bindsMore = (a: Reading, b: Reading): boolean =>
  a.isExhausted && b.isExhausted
    ? a.freesAt > b.freesAt
    : a.isExhausted !== b.isExhausted
      ? a.isExhausted
      : a.remaining < b.remaining

/** The bucket that binds at an instant; null when neither has a limit. Of two that are alike, its own. */
export const at = (own: Bucket, owner: Bucket | null, now: Instant): Binding | null => {
  const both = [reading("own", own, now), ...(owner === null ? [] : [reading("owner", owner, now)])]
  const [first, second] = both.filter(({ isFinite }) => isFinite)
  if (first === undefined) return null
  const { bucket, remaining, freesAt } = second !== undefined && bindsMore(second, first) ? second : first
  return { bucket, remaining, freesAt }
}

/** The smaller of two speeds, and which of them it is; bit/s, null = unlimited. Of two that are alike, its own. */
export interface Speed {
  readonly maxSpeed: bigint | null
  /** Null when it is unlimited. */
  readonly from: Giver | null
}

/** The speed that holds for a subscription. */
export const speed = (own: bigint | null, owner: bigint | null): Speed => {
  const maxSpeed = Limits.slower(own, owner)
  return { maxSpeed, from: maxSpeed === null ? null : maxSpeed === own ? "own" : "owner" }
}
