/**
 * What a node counted in an interval `(from, to]`: a batch of its spool, sent until it is acknowledged.
 *
 * A batch once handed to the network is immutable: (spool, seq) with its digest names it for ever.
 */
import type { Effect } from "effect"
import { Schema } from "effect"
import { Digest } from "effect/crypto"
import * as DigestText from "./internal/digestText.ts"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import type { Instant as InstantType } from "./Instant.ts"
import * as Wire from "./Wire.ts"

/** More entries than this in one batch are refused (413): an agent splits before. */
export const maxEntries = 20_000

/** Bytes of one (credential, inbound) in the interval. Signed on the wire: what is negative goes to quarantine. */
export const Entry = Wire.struct({
  /** The credential's ref. */
  credential: Schema.Int,
  /** The inbound's ref. */
  inbound: Schema.Int,
  bytesUp: Wire.SignedBytes,
  bytesDown: Wire.SignedBytes
})
export type Entry = typeof Entry.Type

export const Batch = Wire.struct({
  /** The random id made with the spool's file. */
  spool: Id.Uuid,
  /** 1, 2, 3 … within the spool. */
  seq: Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(1))),
  from: Instant,
  to: Instant,
  entries: Schema.Array(Entry).pipe(Schema.check(Schema.isMaxLength(maxEntries)))
})
export type Batch = typeof Batch.Type

/** What is posted: the batch, and what may differ each time it is sent. */
export const Report = Wire.struct({
  batch: Batch,
  /** The agent's clock at this sending. */
  sentAt: Instant,
  /** The lowest seq the spool still holds: everything below was acknowledged. */
  lowest: Schema.Int,
  agentVersion: Wire.text(100),
  planeVersion: Schema.NullOr(Wire.text(100))
})
export type Report = typeof Report.Type

/** The answer, the same for a replay. */
export const Receipt = Wire.struct({ spool: Id.Uuid, seq: Schema.Int })
export type Receipt = typeof Receipt.Type

/** SHA-256 of the immutable part, hex. Independent of JSON's spelling. */
export const digest = (batch: Batch): Effect.Effect<string, never, Digest.Digest> =>
  Digest.Digest.use(({ digestHex }) => digestHex(Digest.sha256, DigestText.of(batch)))

/** Clocks may differ this much, either way, before a batch's times are shifted, milliseconds. */
export const tolerance = 5 * 60_000

/**
 * The interval in the server's time. When the agent's clock is off by more than 5 minutes its times are shifted by the
 * difference; nothing was counted after it was received, so `to` is never later than that. The length stays.
 */
export const interval = (
  report: Pick<Report, "batch" | "sentAt">,
  receivedAt: InstantType
): { readonly from: InstantType; readonly to: InstantType; readonly shift: number } => {
  const difference = receivedAt - report.sentAt
  const shift = Math.abs(difference) > tolerance ? difference : 0
  const to = Math.max(0, Math.min(report.batch.to + shift, receivedAt))
  const length = Math.max(0, report.batch.to - report.batch.from)
  return { from: Math.max(0, to - length), to, shift }
}
