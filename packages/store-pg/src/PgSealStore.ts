/** The days of the audit trail and their seals, in PostgreSQL. A trigger says which day a record belongs to. */
import type { AuditLog, AuditSeal } from "@vpnmgr/core"
import { Id, SealStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { at, millis } from "./Column.ts"
import { stored } from "./Failure.ts"
import * as PgTransaction from "./PgTransaction.ts"

interface DayRow {
  readonly day: string | null
}

interface Row extends Omit<AuditSeal.AuditSeal, "recordCount"> {
  readonly recordCount: bigint
}

const date = (column: string) => `to_char(${column}, 'YYYY-MM-DD')`

const columns = `s.id, ${date("s.day")} AS day, s.record_count AS "recordCount", s.previous, s.digest,
  ${millis("s.sealed_at")} AS "sealedAt", ${millis("d.detached_at")} AS "detachedAt"`

const sealOf = (row: Row): AuditSeal.AuditSeal => ({ ...row, recordCount: Number(row.recordCount) })

export const layer: Layer.Layer<SealStore.SealStore, never, SqlClient.SqlClient> = Layer.effect(
  SealStore.SealStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const atomic = PgTransaction.make(sql)

    /** Changes wait while this waits for those in flight, so it gives up after a moment and is tried again. */
    const close = Effect.fn("PgSealStore.close")(function* (day: AuditSeal.Day) {
      const closed = yield* stored(sql`SELECT FROM audit_closed WHERE day >= ${day}::date LIMIT 1`)
      if (closed.length > 0) return
      yield* atomic(
        stored(
          Effect.gen(function* () {
            yield* sql`SELECT set_config('lock_timeout', '1000', true)`
            yield* sql`SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.audit_day', 0))`
            yield* sql`INSERT INTO audit_closed (day) VALUES (${day}::date) ON CONFLICT DO NOTHING`
          })
        )
      )
    })

    const nextUnsealed = Effect.map(
      stored(sql<DayRow>`SELECT ${sql.literal(date("min(day)"))} AS day FROM audit_log
        WHERE day > coalesce((SELECT max(day) FROM audit_seal), '-infinity') AND day <= (SELECT max(day) FROM audit_closed)`),
      ([row]) => row?.day ?? null
    )

    const records = Effect.fn("PgSealStore.records")((day: AuditSeal.Day, { after, limit }: AuditLog.Page) =>
      stored(sql<AuditLog.AuditRecord>`SELECT id, ${sql.literal(millis("timestamp"))} AS timestamp,
          actor_id AS "actorId", action, target_type AS "targetType", target_id AS "targetId", meta
        FROM audit_log WHERE day = ${day}::date AND (${after}::uuid IS NULL OR id > ${after}::uuid)
        ORDER BY id LIMIT ${BigInt(limit)}::bigint`)
    )

    const add: SealStore.SealStore["Service"]["add"] = Effect.fn("PgSealStore.add")(function* (seal) {
      const rows = yield* stored(sql`INSERT INTO audit_seal (id, day, record_count, previous, digest, sealed_at)
        VALUES (${seal.id}::uuid, ${seal.day}::date, ${BigInt(seal.recordCount)}, ${seal.previous}, ${seal.digest},
          ${at(sql, seal.sealedAt)})
        ON CONFLICT (day) DO NOTHING RETURNING 1`)
      return rows.length > 0
    })

    const list = Effect.fn("PgSealStore.list")(function* (
      { from, to }: SealStore.SealFilter,
      { after, limit }: AuditLog.Page
    ) {
      const rows = yield* stored(sql<Row>`SELECT ${sql.literal(columns)}
        FROM audit_seal s LEFT JOIN audit_detachment d USING (day) WHERE ${sql.and([
          sql`true`,
          ...(from === undefined ? [] : [sql`s.id >= ${Id.lowest(from)}::uuid`]),
          ...(to === undefined ? [] : [sql`s.id < ${Id.lowest(to)}::uuid`]),
          ...(after === null ? [] : [sql`s.id < ${after}::uuid`])
        ])} ORDER BY s.id DESC LIMIT ${BigInt(limit)}::bigint`)
      return rows.map(sealOf)
    })

    const detach: SealStore.SealStore["Service"]["detach"] = Effect.fn("PgSealStore.detach")(
      function* (before, limit, instant) {
        const days = yield* stored(sql<DayRow>`INSERT INTO audit_detachment (day, detached_at)
          SELECT s.day, ${at(sql, instant)} FROM audit_seal s
          WHERE s.day < ${before}::date AND NOT EXISTS (SELECT FROM audit_detachment d WHERE d.day = s.day)
          ORDER BY s.day LIMIT ${BigInt(limit)}::bigint
          ON CONFLICT DO NOTHING RETURNING ${sql.literal(date("day"))} AS day`)
        if (days.length === 0) return []
        const gone = days.map((row) => row.day)
        yield* stored(sql`DELETE FROM audit_log WHERE day = ANY(${gone}::date[])`)
        const rows = yield* stored(sql<Row>`SELECT ${sql.literal(columns)}
          FROM audit_seal s JOIN audit_detachment d USING (day) WHERE s.day = ANY(${gone}::date[]) ORDER BY s.day`)
        return rows.map(sealOf)
      }
    )

    return SealStore.SealStore.of({
      close,
      nextUnsealed,
      records,
      add,
      list,
      detach: (before, limit, instant) => atomic(detach(before, limit, instant))
    })
  })
)
