/** The audit log in PostgreSQL: a table that refuses UPDATE, DELETE and TRUNCATE. */
import { AuditLog, Id } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { list, millis } from "./Column.ts"
import { stored, written } from "./Failure.ts"

export const layer: Layer.Layer<AuditLog.AuditStore, never, SqlClient.SqlClient> = Layer.effect(
  AuditLog.AuditStore,
  Effect.map(SqlClient.SqlClient, (sql) =>
    AuditLog.AuditStore.of({
      append: Effect.fn("PgAuditLog.append")((records: ReadonlyArray<AuditLog.AuditRecord>) =>
        records.length === 0
          ? Effect.void
          : written(
              sql`INSERT INTO audit_log (id, timestamp, actor_id, action, target_type, target_id, meta)
                SELECT id, to_timestamp(timestamp / 1000), actor_id, action, target_type, target_id, meta::jsonb
                FROM unnest(
                  ${records.map((each) => each.id)}::uuid[], ${list(records.map((each) => each.timestamp))}::text::float8[],
                  ${records.map((each) => each.actorId)}::uuid[], ${records.map((each) => each.action)}::text[],
                  ${records.map((each) => each.targetType)}::text[], ${records.map((each) => each.targetId)}::uuid[],
                  ${records.map((each) => JSON.stringify(each.meta))}::text[]
                ) AS new (id, timestamp, actor_id, action, target_type, target_id, meta)`
            )
      ),

      list: Effect.fn("PgAuditLog.list")(({ actorId, action, targetType, targetId, from, to }, { after, limit }) =>
        stored(
          sql<AuditLog.AuditRecord>`SELECT id, ${sql.literal(millis("timestamp"))} AS timestamp, actor_id AS "actorId",
              action, target_type AS "targetType", target_id AS "targetId", meta
            FROM audit_log
            WHERE ${sql.and([
              sql`true`,
              ...(actorId === undefined ? [] : [sql`actor_id = ${actorId}`]),
              ...(action === undefined ? [] : [sql`action = ${action}`]),
              ...(targetType === undefined ? [] : [sql`target_type = ${targetType}`]),
              ...(targetId === undefined ? [] : [sql`target_id = ${targetId}`]),
              ...(from === undefined ? [] : [sql`id >= ${Id.lowest(from)}::uuid`]),
              ...(to === undefined ? [] : [sql`id < ${Id.lowest(to)}::uuid`]),
              ...(after === null ? [] : [sql`id < ${after}`])
            ])}
            ORDER BY id DESC LIMIT ${BigInt(limit)}::bigint`
        )
      )
    })
  )
)
