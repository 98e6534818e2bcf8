/**
 * Who may read which records. Superusers see all of them; an operator sees traffic reports and the access log of what
 * was its own: bytes stay with whoever owned the subscription at the end of their interval.
 */
import { Context, Effect, Layer } from "effect"
import type { AccessRecord } from "./AccessLog.ts"
import { Actor } from "./Actor.ts"
import type { AuditFilter, AuditRecord, Page } from "./AuditLog.ts"
import { AuditStore } from "./AuditLog.ts"
import { Forbidden, NotFound } from "./Failure.ts"
import * as Fold from "./Fold.ts"
import type {
  AccessFilter,
  ConflictBatch,
  ConflictFilter,
  ConflictRecord,
  RecordFilter,
  TrafficRecord
} from "./RecordStore.ts"
import { RecordStore } from "./RecordStore.ts"
import type { StoreError } from "./Transaction.ts"
import { UsageStore } from "./UsageStore.ts"

type Answer<A> = Effect.Effect<A, Forbidden | NotFound | StoreError, Actor>
type List<Filter, A> = (filter: Filter, page: Page) => Answer<ReadonlyArray<A>>

/** Passes superusers, and refuses everybody else. */
export const onlySuperuser = Effect.flatMap(Actor, ({ role }) =>
  role === "superuser" ? Effect.void : Effect.fail(new Forbidden({ detail: "Only a superuser may do this" }))
)

/** Narrows a filter to what the actor may see. */
const visible = <Filter extends RecordFilter>(filter: Filter) =>
  Effect.flatMap(Actor, ({ id, role }) => {
    if (role === "superuser") return Effect.succeed(filter)
    if (role === "operator") return Effect.succeed<Filter>({ ...filter, ownerId: id })
    return Effect.fail(new Forbidden({ detail: "Only people may do this" }))
  })

/** Every list is newest first, by id. */
export class Records extends Context.Service<
  Records,
  {
    readonly trafficReports: List<RecordFilter, TrafficRecord>
    readonly accessLog: List<AccessFilter, AccessRecord>
    /** For superusers. */
    readonly audit: List<AuditFilter, AuditRecord>
    /** For superusers. */
    readonly conflicts: List<ConflictFilter, ConflictRecord>
    /** For superusers. */
    readonly conflict: (id: string) => Answer<ConflictBatch>
  }
>()("@vpnmgr/core/Records") {
  static readonly layer = Layer.effect(
    Records,
    Effect.gen(function* () {
      const records = yield* RecordStore
      const audit = yield* AuditStore
      const usage = yield* UsageStore
      return Records.of({
        trafficReports: Effect.fn("Records.trafficReports")(function* (filter, page) {
          return yield* records.trafficReports(yield* visible(filter), page)
        }),
        accessLog: Effect.fn("Records.accessLog")(function* (filter, page) {
          const seen = yield* visible(filter)
          if (page.after === null) yield* Effect.provideService(Fold.few, UsageStore, usage)
          return yield* records.accessLog(seen, page)
        }),
        audit: Effect.fn("Records.audit")((filter, page) => Effect.andThen(onlySuperuser, audit.list(filter, page))),
        conflicts: Effect.fn("Records.conflicts")((filter, page) =>
          Effect.andThen(onlySuperuser, records.conflicts(filter, page))
        ),
        conflict: Effect.fn("Records.conflict")(function* (id) {
          yield* onlySuperuser
          const found = yield* records.conflict(id)
          return found ?? (yield* new NotFound({ noun: "report_conflict", id }))
        })
      })
    })
  )
}
