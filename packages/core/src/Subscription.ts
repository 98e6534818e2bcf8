/** One end-user's access: optional owner, limits, expiry, the inbounds it may use (seed vpn-manager, `Subscription`). */
import { Schema } from "effect"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import { limitFields } from "./Limits.ts"
import * as Wire from "./Wire.ts"

export const Title = Wire.text(200)
export const Description = Wire.text(4000)

/** A subscription as it is stored; what follows from the clock and the buckets is its `Verdict`. */
export const Subscription = Wire.struct({
  id: Id.Uuid,
  /** The last part of `/s/{link}`: the id until it is rotated, then random. */
  link: Schema.String,
  ownerId: Schema.NullOr(Id.Uuid),
  title: Schema.NullOr(Title),
  description: Schema.NullOr(Description),
  expiresAt: Schema.NullOr(Instant),
  ...limitFields,
  isSuspended: Schema.Boolean,
  /** What windows are counted from; a whole grain. */
  anchor: Instant,
  inboundIds: Schema.Array(Id.Uuid),
  credential: Schema.Int,
  createdAt: Instant,
  updatedAt: Instant
})
export type Subscription = typeof Subscription.Type
