/** When a subscription ends, and how its end is put off. */
import { Schema } from "effect"
import type { Instant } from "./Instant.ts"
import * as Period from "./Period.ts"

/** What an extension is counted from. */
export const From = Schema.Literals(["now", "expiry"])
export type From = typeof From.Type

export interface Extending {
  readonly expiresAt: Instant
  readonly period: Period.Period
  /** Null: from the expiry when it is ahead, else from now, so that what is paid for is had. */
  readonly from: From | null
  readonly now: Instant
}

/** The end that an extension gives: one period later, in the UTC calendar, days clamped to the month, as windows are. */
export const extended = ({ expiresAt, period, from, now }: Extending): Instant => {
  const isFromExpiry = from === null ? expiresAt > now : from === "expiry"
  return Period.after(isFromExpiry ? expiresAt : now, period, 1)
}
