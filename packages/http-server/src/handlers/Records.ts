/** Spares, traffic reports, the access log, the audit trail, the quarantine and batches set aside, over the core. */
import { Api } from "@vpnmgr/api"
import {
  AccessLog,
  AuditLog,
  AuditTrail,
  Instant,
  Quarantine,
  QuarantineStore,
  Records,
  RecordStore,
  Spares
} from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { byId, Exports } from "../Exports.ts"
import * as Refusal from "../Refusal.ts"
import * as Filters from "./Filters.ts"
import type { Handlers } from "./Handlers.ts"
import { paged } from "./Paging.ts"
import * as Superuser from "./Superuser.ts"

const day = 86_400_000

export const spares: Handlers<"spares", Spares.Spares> = HttpApiBuilder.group(
  Api,
  "spares",
  Effect.fn(function* (handlers) {
    const spares = yield* Spares.Spares
    const policy = yield* Spares.Policy
    return handlers.handleAll({
      get: Effect.fnUntraced(function* () {
        yield* Superuser.required
        const pool = yield* Refusal.storing(spares.pool)
        return { ...pool, target: Spares.target(pool, policy) }
      }),
      refill: Effect.fnUntraced(function* () {
        yield* Superuser.required
        return { added: yield* Refusal.storing(spares.refill) }
      })
    })
  })
)

export const trafficReports: Handlers<"trafficReports", Records.Records | Exports> = HttpApiBuilder.group(
  Api,
  "trafficReports",
  Effect.fn(function* (handlers) {
    const records = yield* Records.Records
    const exports = yield* Exports
    return handlers.handleAll({
      list: ({ query }) => Refusal.reading(paged(query, (page) => records.trafficReports(Filters.places(query), page))),
      export: ({ query }) =>
        exports.answer({
          name: "traffic-reports",
          format: query.format,
          item: RecordStore.TrafficRecord,
          read: byId((page) => Refusal.reading(records.trafficReports(Filters.places(query), page)))
        })
    })
  })
)

export const accessLog: Handlers<"accessLog", Records.Records | Exports> = HttpApiBuilder.group(
  Api,
  "accessLog",
  Effect.fn(function* (handlers) {
    const records = yield* Records.Records
    const exports = yield* Exports
    return handlers.handleAll({
      list: ({ query }) => Refusal.reading(paged(query, (page) => records.accessLog(Filters.accesses(query), page))),
      export: ({ query }) =>
        exports.answer({
          name: "access-log",
          format: query.format,
          item: AccessLog.AccessRecord,
          read: byId((page) => Refusal.reading(records.accessLog(Filters.accesses(query), page)))
        })
    })
  })
)

export const audit: Handlers<"audit", Records.Records | AuditTrail.AuditTrail | Exports> = HttpApiBuilder.group(
  Api,
  "audit",
  Effect.fn(function* (handlers) {
    const records = yield* Records.Records
    const trail = yield* AuditTrail.AuditTrail
    const exports = yield* Exports
    return handlers.handleAll({
      list: ({ query }) => Refusal.reading(paged(query, (page) => records.audit(Filters.changes(query), page))),
      export: ({ query }) =>
        exports.answer({
          name: "audit",
          format: query.format,
          item: AuditLog.AuditRecord,
          read: byId((page) => Refusal.reading(records.audit(Filters.changes(query), page)))
        }),
      seals: ({ query }) => Refusal.reading(paged(query, (page) => trail.seals(Filters.days(query), page))),
      verify: Effect.fnUntraced(function* ({ query }) {
        const to = query.to ?? (yield* Instant.now)
        return yield* Refusal.verifying(trail.verify(query.from ?? to - 7 * day, to))
      })
    })
  })
)

export const quarantine: Handlers<"quarantine", Quarantine.Quarantine | Exports> = HttpApiBuilder.group(
  Api,
  "quarantine",
  Effect.fn(function* (handlers) {
    const quarantine = yield* Quarantine.Quarantine
    const exports = yield* Exports
    return handlers.handleAll({
      list: ({ query }) => Refusal.reading(paged(query, (page) => quarantine.list(Filters.entries(query), page))),
      export: ({ query }) =>
        exports.answer({
          name: "quarantine",
          format: query.format,
          item: QuarantineStore.QuarantineRecord,
          read: byId((page) => Refusal.reading(quarantine.list(Filters.entries(query), page)))
        }),
      get: ({ params }) => Refusal.reading(quarantine.get(params.id)),
      apply: ({ params, payload }) => Refusal.changing(quarantine.apply(params.id, payload)),
      dismiss: ({ params }) => Refusal.changing(quarantine.dismiss(params.id))
    })
  })
)

export const reportConflicts: Handlers<"reportConflicts", Records.Records> = HttpApiBuilder.group(
  Api,
  "reportConflicts",
  Effect.fn(function* (handlers) {
    const records = yield* Records.Records
    return handlers.handleAll({
      list: ({ query }) => Refusal.reading(paged(query, (page) => records.conflicts(Filters.conflicts(query), page))),
      get: ({ params }) => Refusal.reading(records.conflict(params.id))
    })
  })
)
