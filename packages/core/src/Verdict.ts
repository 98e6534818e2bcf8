/**
 * Whether a subscription may be served, and if not, why and until when. Derived from what is stored and the clock, so
 * that no late job can leave it wrong. The first that applies: suspended, expired, over limit, active.
 */
import { Schema } from "effect"
import { never } from "./Instant.ts"
import type { Instant as InstantType } from "./Instant.ts"

export const State = Schema.Literals(["suspended", "expired", "over_limit", "active"])
export type State = typeof State.Type

export type Verdict =
  | { readonly state: "suspended" }
  | { readonly state: "expired"; readonly at: InstantType }
  | {
      readonly state: "over_limit"
      /** The bucket that holds longest. */
      readonly bucket: "subscription" | "owner"
      /** When it is let in again; `Infinity` = not by itself. */
      readonly until: InstantType
    }
  | { readonly state: "active" }

export interface Facts {
  readonly isSuspended: boolean
  readonly expiresAt: InstantType | null
  /** `Bucket.exhaustedUntil` of the subscription's own bucket. */
  readonly ownExhaustedUntil: InstantType | null
  /** The same of its owner's; null without an owner. */
  readonly ownerExhaustedUntil: InstantType | null
}

/** Judges a subscription at an instant. */
export const at = (facts: Facts, now: InstantType): Verdict => {
  if (facts.isSuspended) return { state: "suspended" }
  if (facts.expiresAt !== null && facts.expiresAt <= now) return { state: "expired", at: facts.expiresAt }
  const own = facts.ownExhaustedUntil ?? -never
  const owner = facts.ownerExhaustedUntil ?? -never
  const until = Math.max(own, owner)
  return until > now
    ? { state: "over_limit", bucket: own >= owner ? "subscription" : "owner", until }
    : { state: "active" }
}

/** The next instant at which the verdict may change by itself; `Infinity` = none. */
export const nextChange = (facts: Facts, now: InstantType): InstantType =>
  Math.min(
    ...[facts.expiresAt, facts.ownExhaustedUntil, facts.ownerExhaustedUntil].map((at) =>
      at !== null && at > now ? at : never
    )
  )
