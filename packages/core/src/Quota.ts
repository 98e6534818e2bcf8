/**
 * What usage is weighed against: a bucket, with a limit, a window and what was used in it.
 *
 * Usage is summed exactly, as bytes × thousandths of the inbound's multiplier, and rounded up only when it is shown or
 * compared, so that batching cannot change it.
 */
import type { Instant } from "./Instant.ts"
import { never } from "./Instant.ts"
import type { Period } from "./Period.ts"
import * as Window from "./Window.ts"

/** Bytes × 1000. */
export type Weighted = bigint

/** Weighs bytes by an inbound's multiplier (thousandths). */
export const weight = (bytes: bigint, multiplier: number): Weighted => bytes * BigInt(multiplier)

/** Weighted usage in bytes, rounded up. */
export const bytes = (used: Weighted): bigint => (used + 999n) / 1000n

export type BucketKind = "subscription" | "owner"

/** A subscription's own bucket (`id` is the subscription's) or its owner's allowance (`id` is the user's). */
export interface Bucket {
  readonly kind: BucketKind
  readonly id: string
  /** The number by which nodes know the bucket; says nothing of whose it is. */
  readonly ref: number
  /** Bytes; null = unlimited. */
  readonly maxTraffic: bigint | null
  readonly period: Period | null
  readonly anchor: Instant
  /** The latest manual reset. */
  readonly cut: Instant | null
  readonly window: Window.Window
  /** What was used in `window`. An owner's is the sum over its nodes. */
  readonly used: Weighted
  /** Set while the bucket is exhausted: the end of the window it happened in; `Infinity` when that never ends. */
  readonly exhaustedUntil: Instant | null
}

/** True when the limit is reached; reaching it exactly exhausts it. */
export const isExhausted = (maxTraffic: bigint | null, used: Weighted): boolean =>
  maxTraffic !== null && bytes(used) >= maxTraffic

/** What may still pass before the limit is reached; null = unlimited. */
export const left = (maxTraffic: bigint | null, used: Weighted): Weighted | null => {
  if (maxTraffic === null) return null
  const rest = (maxTraffic - 1n) * 1000n + 1n - used
  return rest > 0n ? rest : 0n
}

/** Weighs a bucket: until when it is exhausted, or null. A limit of nothing is exhausted in every window to come. */
export const weigh = ({ maxTraffic, used, window }: Pick<Bucket, "maxTraffic" | "used" | "window">): Instant | null => {
  if (!isExhausted(maxTraffic, used)) return null
  return isExhausted(maxTraffic, 0n) ? never : window.end
}

/** The window a bucket is in at an instant, computed from its anchor and its latest reset. */
export const windowAt = (bucket: Pick<Bucket, "anchor" | "period" | "cut">, at: Instant): Window.Window =>
  Window.at(bucket, at)

/** True when the bucket's window ended before `at`: it must turn before anything at `at` is added to it. */
export const isStale = (bucket: Pick<Bucket, "window">, at: Instant): boolean => bucket.window.end < at
