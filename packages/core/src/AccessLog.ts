/**
 * One record per span of use of a subscription at an inbound (seed vpn-manager, `AccessLog`): opened by the first bytes
 * after idle minutes, closed by idleness, after an hour or by a new owner. Never an address or a device. Its id is a
 * UUIDv7 of `timestamp`, so that the order of ids is the order of time.
 */
import { Schema } from "effect"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import type { Instant as InstantType } from "./Instant.ts"
import * as Wire from "./Wire.ts"

export const AccessRecord = Wire.struct({
  id: Id.Uuid,
  /** When the span began, as the start of its first interval. */
  timestamp: Instant,
  /** When it last grew, as the end of its newest interval. */
  endedAt: Instant,
  subscriptionId: Id.Uuid,
  inboundId: Id.Uuid,
  nodeId: Id.Uuid,
  bytesUp: Wire.Bytes,
  bytesDown: Wire.Bytes,
  /** The node token it was reported with. */
  authTokenId: Schema.NullOr(Id.Uuid),
  note: Schema.NullOr(Schema.String)
})
export type AccessRecord = typeof AccessRecord.Type

/** A span ends when nothing passed for this long, milliseconds. */
export const idleFor = 5 * 60_000

/** A span lasts no longer than this, milliseconds. */
export const longestSpan = 60 * 60_000

/**
 * True when bytes of the interval `(from, to]` belong to a span that began at `startedAt` and last grew at `endedAt`. A
 * span is of one owner: a subscription that is given to another opens another span.
 */
export const continues = (
  span: { readonly startedAt: InstantType; readonly endedAt: InstantType },
  from: InstantType,
  to: InstantType
): boolean => span.endedAt >= from - idleFor && span.startedAt >= to - longestSpan && span.startedAt <= to
