/**
 * The port to the days of the audit trail and their seals. A record belongs to the day of its timestamp, or, when that is
 * closed already, to the first day that is not: so a change that took over midnight is sealed with the day after, and
 * nothing is ever added to a day that was closed.
 */
import { Context, type Effect } from "effect"
import type { AuditRecord, Page } from "./AuditLog.ts"
import type { AuditSeal, Day } from "./AuditSeal.ts"
import type { Instant } from "./Instant.ts"
import type { StoreError } from "./Transaction.ts"

/** `from` ≤ the day's beginning < `to`. */
export interface SealFilter {
  readonly from?: Instant
  readonly to?: Instant
}

export class SealStore extends Context.Service<
  SealStore,
  {
    /**
     * Closes this day and all before it: waits for the transactions that have appended a record to end, and lets no
     * other into it. Nothing happens when it is closed.
     */
    readonly close: (day: Day) => Effect.Effect<void, StoreError>
    /** The first closed day after the newest sealed one that has records; null when there is none. */
    readonly nextUnsealed: Effect.Effect<Day | null, StoreError>
    /** Records of a day by id, ascending. */
    readonly records: (day: Day, page: Page) => Effect.Effect<ReadonlyArray<AuditRecord>, StoreError>
    /** Stores a seal; false when the day has one. There is no way to change or remove one. */
    readonly add: (seal: Omit<AuditSeal, "detachedAt">) => Effect.Effect<boolean, StoreError>
    /** Newest first. */
    readonly list: (filter: SealFilter, page: Page) => Effect.Effect<ReadonlyArray<AuditSeal>, StoreError>
    /**
     * Removes the records of the oldest sealed days before `day`, at most so many days, and says so in their seals.
     * Answers those seals, oldest first. Only records of days that are said to be detached can ever be removed.
     */
    readonly detach: (day: Day, limit: number, at: Instant) => Effect.Effect<ReadonlyArray<AuditSeal>, StoreError>
  }
>()("@vpnmgr/core/SealStore") {}
