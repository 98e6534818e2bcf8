/** The quarantine in PostgreSQL. */
import type { AuditLog } from "@vpnmgr/core"
import { Id, QuarantineStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { at, millis } from "./Column.ts"
import { stored } from "./Failure.ts"

interface Row extends Omit<QuarantineStore.QuarantineRecord, "credential" | "inbound"> {
  readonly credential: bigint
  readonly inbound: bigint
}

interface SourceRow {
  readonly tokenId: string
  readonly spool: string
  readonly seq: bigint
}

const columns = `id, node_id AS "nodeId", ${millis("received_at")} AS "receivedAt", ${millis("from_at")} AS "from",
  ${millis("to_at")} AS "to", credential, inbound, bytes_up AS "bytesUp", bytes_down AS "bytesDown", reason, state,
  ${millis("resolved_at")} AS "resolvedAt", resolved_by AS "resolvedBy", subscription_id AS "subscriptionId",
  inbound_id AS "inboundId"`

const recordOf = (row: Row): QuarantineStore.QuarantineRecord => ({
  ...row,
  credential: Number(row.credential),
  inbound: Number(row.inbound)
})

export const layer: Layer.Layer<QuarantineStore.QuarantineStore, never, SqlClient.SqlClient> = Layer.effect(
  QuarantineStore.QuarantineStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const list = Effect.fn("PgQuarantineStore.list")(function* (
      { nodeId, reason, state, from, to }: QuarantineStore.QuarantineFilter,
      { after, limit }: AuditLog.Page
    ) {
      const rows = yield* stored(
        sql<Row>`SELECT ${sql.literal(columns)} FROM quarantine WHERE ${sql.and([
          sql`true`,
          ...(nodeId === undefined ? [] : [sql`node_id = ${nodeId}::uuid`]),
          ...(reason === undefined ? [] : [sql`reason = ${reason}`]),
          ...(state === undefined ? [] : [sql`state = ${state}`]),
          ...(from === undefined ? [] : [sql`id >= ${Id.lowest(from)}::uuid`]),
          ...(to === undefined ? [] : [sql`id < ${Id.lowest(to)}::uuid`]),
          ...(after === null ? [] : [sql`id < ${after}::uuid`])
        ])} ORDER BY id DESC LIMIT ${BigInt(limit)}::bigint`
      )
      return rows.map(recordOf)
    })

    const get = Effect.fn("PgQuarantineStore.get")(function* (id: string) {
      const [row] = yield* stored(sql<Row & SourceRow>`SELECT ${sql.literal(columns)}, token_id AS "tokenId", spool, seq
        FROM quarantine WHERE id = ${id}::uuid`)
      if (row === undefined) return null
      const { tokenId, spool, seq, ...entry } = row
      return { entry: recordOf(entry), source: { tokenId, spool, seq: Number(seq) } }
    })

    const resolve = Effect.fn("PgQuarantineStore.resolve")(function* (
      id: string,
      { state, resolvedAt, resolvedBy, subscriptionId, inboundId }: QuarantineStore.Resolution
    ) {
      const rows = yield* stored(sql`UPDATE quarantine SET state = ${state}, resolved_at = ${at(sql, resolvedAt)},
          resolved_by = ${resolvedBy}::uuid, subscription_id = ${subscriptionId}::uuid, inbound_id = ${inboundId}::uuid
        WHERE id = ${id}::uuid AND state = 'open' RETURNING 1`)
      return rows.length > 0
    })

    return QuarantineStore.QuarantineStore.of({ list, get, resolve })
  })
)
