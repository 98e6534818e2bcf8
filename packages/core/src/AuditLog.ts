/** One record per change, written in the change's own transaction (seed vpn-manager, `AuditLog`). Never a secret in it. */
import { Context, Schema, type Effect } from "effect"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import type { Instant as InstantType } from "./Instant.ts"
import type { StoreError } from "./Transaction.ts"
import * as Wire from "./Wire.ts"

export const AuditRecord = Wire.struct({
  /** A UUIDv7 of `timestamp`, so that the order of ids is the order of time. */
  id: Id.Uuid,
  timestamp: Instant,
  actorId: Id.Uuid,
  /** Noun and verb, such as `subscription.suspend`. */
  action: Schema.String,
  targetType: Schema.String,
  targetId: Id.Uuid,
  /** What was before and after, in wire names, without secrets. */
  meta: Schema.Record(Schema.String, Schema.Json)
})
export type AuditRecord = typeof AuditRecord.Type

/** A page request: the newest first, `after` is the last id of the page before. */
export interface Page {
  readonly after: string | null
  readonly limit: number
}

export interface AuditFilter {
  readonly actorId?: string
  readonly action?: string
  readonly targetType?: string
  readonly targetId?: string
  readonly from?: InstantType
  readonly to?: InstantType
}

export class AuditStore extends Context.Service<
  AuditStore,
  {
    /** Adds records. There is no way to change or remove one. */
    readonly append: (records: ReadonlyArray<AuditRecord>) => Effect.Effect<void, StoreError>
    /** Newest first, by id. */
    readonly list: (filter: AuditFilter, page: Page) => Effect.Effect<ReadonlyArray<AuditRecord>, StoreError>
  }
>()("@vpnmgr/core/AuditStore") {}
