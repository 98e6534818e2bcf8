/** What was used, in rows: by hour, day, inbound or node. */
import { Schema } from "effect"
import { Id, Instant, UsageStore, Wire } from "@vpnmgr/core"

/** One row. What it is not divided by is null. */
export const UsageRow = Wire.struct({
  /** Where the piece of time begins: an hour, the part of one before or after a reset, or a day in UTC. */
  at: Schema.NullOr(Instant.Instant),
  inboundId: Schema.NullOr(Id.Uuid),
  nodeId: Schema.NullOr(Id.Uuid),
  bytesUp: Wire.Bytes,
  bytesDown: Wire.Bytes,
  /** What was drawn from the limit: both ways, times the inbound's multiplier, summed exactly and rounded up once. */
  usedBytes: Wire.Bytes
})
export type UsageRow = typeof UsageRow.Type

/** What was used from an instant on, and before another. */
export const UsageView = Wire.struct({ from: Instant.Instant, to: Instant.Instant, items: Schema.Array(UsageRow) })

/** Days in one answer at most: by the hour and undivided, and by anything else. */
export const [fineDays, coarseDays] = [31, 366] as const

/** Pieces in one answer at most. */
export const mostPieces = 10_000

const span = { from: Schema.optional(Instant.Instant), to: Schema.optional(Instant.Instant) }

/** The query of a subscription's usage; without `by`, pieces by inbound. */
export const query = { by: Schema.optional(UsageStore.By), ...span }

/** The query of a user's usage, which is not kept by inbound; by day when `by` is absent. */
export const ownerQuery = { by: Schema.optional(UsageStore.OwnerBy), ...span }

/** What holds for every such answer. */
export const bounds = `Rows with from ≤ at < to, in bytes; by default the last seven days, at most ${fineDays} days by the hour, else ${coarseDays}. used_bytes is summed exactly and rounded up once a row.`
