/**
 * The port to what is kept of every report beside its sums: the raw rows, the access log, and batches set aside. Read
 * only: `UsageStore.record` and `setAside` write them.
 */
import { Context, Schema, type Effect } from "effect"
import type { AccessRecord } from "./AccessLog.ts"
import type { Page } from "./AuditLog.ts"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import type { Instant as InstantType } from "./Instant.ts"
import type { StoreError } from "./Transaction.ts"
import * as TrafficReport from "./TrafficReport.ts"
import * as Wire from "./Wire.ts"

/**
 * What a node counted for a subscription at an inbound in `(from, timestamp]` (seed vpn-manager, `TrafficReport`), in
 * the server's time. Its id is a UUIDv7 of `timestamp`, so that the order of ids is the order of time.
 */
export const TrafficRecord = Wire.struct({
  id: Id.Uuid,
  subscriptionId: Id.Uuid,
  inboundId: Id.Uuid,
  nodeId: Id.Uuid,
  bytesUp: Wire.Bytes,
  bytesDown: Wire.Bytes,
  from: Instant,
  timestamp: Instant
})
export type TrafficRecord = typeof TrafficRecord.Type

const conflictFields = {
  id: Id.Uuid,
  nodeId: Id.Uuid,
  /** The node token it was sent with. */
  tokenId: Id.Uuid,
  spool: Id.Uuid,
  seq: Schema.Int,
  /** SHA-256 of what came. */
  digest: Schema.String,
  /**
   * `conflict`: another batch was applied under this number. `rewound`: the number is below what the spool acknowledged
   * before, so the spool was brought back from a copy, and what of it was applied cannot be told.
   */
  reason: Schema.Literals(["conflict", "rewound"]),
  receivedAt: Instant,
  from: Instant,
  to: Instant
}

/** A batch whose number was used before: set aside, never counted under it. */
export const ConflictRecord = Wire.struct({ ...conflictFields, entryCount: Schema.Int })
export type ConflictRecord = typeof ConflictRecord.Type

/** The same, with everything that came. */
export const ConflictBatch = Wire.struct({ ...conflictFields, entries: Schema.Array(TrafficReport.Entry) })
export type ConflictBatch = typeof ConflictBatch.Type

/** What holds of every row that is wanted; `from` ≤ timestamp < `to`. */
export interface RecordFilter {
  readonly subscriptionId?: string
  readonly inboundId?: string
  readonly nodeId?: string
  /** Who owned the subscription when the interval (of a span of use: its first one) ended. */
  readonly ownerId?: string
  readonly from?: InstantType
  readonly to?: InstantType
}

export interface AccessFilter extends RecordFilter {
  readonly authTokenId?: string
}

export type ConflictFilter = Pick<RecordFilter, "nodeId" | "from" | "to">

/** Every list is newest first, by id. */
export class RecordStore extends Context.Service<
  RecordStore,
  {
    readonly trafficReports: (
      filter: RecordFilter,
      page: Page
    ) => Effect.Effect<ReadonlyArray<TrafficRecord>, StoreError>
    readonly accessLog: (filter: AccessFilter, page: Page) => Effect.Effect<ReadonlyArray<AccessRecord>, StoreError>
    /** By when they were received. */
    readonly conflicts: (filter: ConflictFilter, page: Page) => Effect.Effect<ReadonlyArray<ConflictRecord>, StoreError>
    readonly conflict: (id: string) => Effect.Effect<ConflictBatch | null, StoreError>
    /** Drops spans of use that began before this, in bounded steps; answers how many. */
    readonly retainAccessLog: (before: InstantType) => Effect.Effect<number, StoreError>
  }
>()("@vpnmgr/core/RecordStore") {}
