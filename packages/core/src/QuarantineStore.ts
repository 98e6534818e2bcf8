/** The port to the quarantine: entries of reports that could not be counted (`Usage.settle`), and what became of them. */
import { Context, Schema, type Effect } from "effect"
import type { Page } from "./AuditLog.ts"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import type { Instant as InstantType } from "./Instant.ts"
import type { StoreError } from "./Transaction.ts"
import type { QuarantineReason } from "./Usage.ts"
import * as Usage from "./Usage.ts"
import * as Wire from "./Wire.ts"

export const State = Schema.Literals(["open", "applied", "dismissed"])
export type State = typeof State.Type

export const QuarantineRecord = Wire.struct({
  id: Id.Uuid,
  nodeId: Id.Uuid,
  receivedAt: Instant,
  from: Instant,
  to: Instant,
  /** The numbers the node gave. */
  credential: Schema.Int,
  inbound: Schema.Int,
  bytesUp: Wire.SignedBytes,
  bytesDown: Wire.SignedBytes,
  reason: Schema.Literals(Usage.quarantineReasons),
  state: State,
  /** When and by whom it was applied or dismissed. */
  resolvedAt: Schema.NullOr(Instant),
  resolvedBy: Schema.NullOr(Id.Uuid),
  /** What it was counted for, once applied. */
  subscriptionId: Schema.NullOr(Id.Uuid),
  inboundId: Schema.NullOr(Id.Uuid)
})
export type QuarantineRecord = typeof QuarantineRecord.Type

/** What holds of every entry that is wanted; `from` ≤ received_at < `to`. */
export interface QuarantineFilter {
  readonly nodeId?: string
  readonly reason?: QuarantineReason
  readonly state?: State
  readonly from?: InstantType
  readonly to?: InstantType
}

/** What became of an entry. */
export interface Resolution {
  readonly state: Exclude<State, "open">
  readonly resolvedAt: InstantType
  readonly resolvedBy: string
  readonly subscriptionId: string | null
  readonly inboundId: string | null
}

/** What identifies the batch an entry came in. */
export interface Source {
  readonly tokenId: string
  readonly spool: string
  readonly seq: number
}

export class QuarantineStore extends Context.Service<
  QuarantineStore,
  {
    /** Newest first, by id. */
    readonly list: (filter: QuarantineFilter, page: Page) => Effect.Effect<ReadonlyArray<QuarantineRecord>, StoreError>
    readonly get: (
      id: string
    ) => Effect.Effect<{ readonly entry: QuarantineRecord; readonly source: Source } | null, StoreError>
    /**
     * Resolves an open entry; false when somebody did before. Whoever comes second waits for the first to commit or
     * roll back.
     */
    readonly resolve: (id: string, resolution: Resolution) => Effect.Effect<boolean, StoreError>
  }
>()("@vpnmgr/core/QuarantineStore") {}
