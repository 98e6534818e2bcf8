/** What is kept of every report beside its sums, in PostgreSQL. Ids are in the order of time: a span of time is one of ids. */
import type { AccessLog, AuditLog, TrafficReport } from "@vpnmgr/core"
import { Id, RecordStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { Statement } from "effect/sql"
import { millis } from "./Column.ts"
import { stored } from "./Failure.ts"
import * as RawRows from "./RawRows.ts"

interface AccessRow extends Omit<AccessLog.AccessRecord, "bytesUp" | "bytesDown"> {
  readonly bytesUp: string
  readonly bytesDown: string
}

interface ConflictRow extends Omit<RecordStore.ConflictRecord, "seq" | "from" | "to" | "entryCount"> {
  readonly seq: bigint
  readonly from: string
  readonly to: string
  readonly entryCount: bigint
}

interface WireEntry {
  readonly credential: number
  readonly inbound: number
  readonly bytes_up: number | string
  readonly bytes_down: number | string
}

/** Rows dropped in one statement at most. */
const dropAtOnce = 10_000

const conflictColumns = `id, node_id AS "nodeId", token_id AS "tokenId", spool, seq, digest, reason,
  ${millis("received_at")} AS "receivedAt", batch->>'from' AS "from", batch->>'to' AS "to",
  jsonb_array_length(batch->'entries')::bigint AS "entryCount"`

const conflictOf = ({ seq, from, to, entryCount, ...row }: ConflictRow): RecordStore.ConflictRecord => ({
  ...row,
  seq: Number(seq),
  from: Date.parse(from),
  to: Date.parse(to),
  entryCount: Number(entryCount)
})

const entryOf = (entry: WireEntry): TrafficReport.Entry => ({
  credential: entry.credential,
  inbound: entry.inbound,
  bytesUp: BigInt(entry.bytes_up),
  bytesDown: BigInt(entry.bytes_down)
})

export const layer: Layer.Layer<RecordStore.RecordStore, never, SqlClient.SqlClient> = Layer.effect(
  RecordStore.RecordStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const equals = (column: string, value: string | undefined): ReadonlyArray<Statement.Fragment> =>
      value === undefined ? [] : [sql`${sql(column)} = ${value}::uuid`]

    /** The page of a list that is newest first, by id, of rows whose ids are UUIDv7s of their time. */
    const page = (
      { from, to }: Pick<RecordStore.RecordFilter, "from" | "to">,
      conditions: ReadonlyArray<Statement.Fragment>,
      { after, limit }: AuditLog.Page
    ) =>
      sql`WHERE ${sql.and([
        sql`true`,
        ...conditions,
        ...(from === undefined ? [] : [sql`id >= ${Id.lowest(from)}::uuid`]),
        ...(to === undefined ? [] : [sql`id < ${Id.lowest(to)}::uuid`]),
        ...(after === null ? [] : [sql`id < ${after}::uuid`])
      ])} ORDER BY id DESC LIMIT ${BigInt(limit)}::bigint`

    const places = ({ subscriptionId, inboundId, nodeId, ownerId }: RecordStore.RecordFilter) => [
      ...equals("subscription_id", subscriptionId),
      ...equals("inbound_id", inboundId),
      ...equals("node_id", nodeId),
      ...equals("owner_id", ownerId)
    ]

    const rawRows = RawRows.make(sql)
    const trafficReports = Effect.fn("PgRecordStore.trafficReports")(
      (filter: RecordStore.RecordFilter, asked: AuditLog.Page) => stored(rawRows(filter, asked))
    )

    const accessLog = Effect.fn("PgRecordStore.accessLog")(function* (
      { authTokenId, ...filter }: RecordStore.AccessFilter,
      asked: AuditLog.Page
    ) {
      const rows = yield* stored(sql<AccessRow>`SELECT id, ${sql.literal(millis("started_at"))} AS timestamp,
          ${sql.literal(millis("ended_at"))} AS "endedAt", subscription_id AS "subscriptionId",
          inbound_id AS "inboundId", node_id AS "nodeId", bytes_up AS "bytesUp", bytes_down AS "bytesDown",
          token_id AS "authTokenId", NULL AS note
        FROM access_log ${page(filter, [...places(filter), ...equals("token_id", authTokenId)], asked)}`)
      return rows.map((row) => ({ ...row, bytesUp: BigInt(row.bytesUp), bytesDown: BigInt(row.bytesDown) }))
    })

    const conflicts = Effect.fn("PgRecordStore.conflicts")(function* (
      filter: RecordStore.ConflictFilter,
      asked: AuditLog.Page
    ) {
      const rows = yield* stored(sql<ConflictRow>`SELECT ${sql.literal(conflictColumns)}
        FROM report_conflict ${page(filter, equals("node_id", filter.nodeId), asked)}`)
      return rows.map(conflictOf)
    })

    const conflict = Effect.fn("PgRecordStore.conflict")(function* (id: string) {
      const [row] = yield* stored(sql<ConflictRow & { readonly entries: ReadonlyArray<WireEntry> }>`
        SELECT ${sql.literal(conflictColumns)}, batch->'entries' AS entries FROM report_conflict WHERE id = ${id}::uuid`)
      if (row === undefined) return null
      const { entries, ...rest } = row
      const { entryCount: _, ...found } = conflictOf(rest)
      return { ...found, entries: entries.map(entryOf) }
    })

    const retainAccessLog = Effect.fn("PgRecordStore.retainAccessLog")(function* (before: number) {
      let dropped = 0
      for (;;) {
        const rows = yield* stored(sql`DELETE FROM access_log WHERE (subscription_id, id) IN (
          SELECT subscription_id, id FROM access_log WHERE id < ${Id.lowest(before)}::uuid
          ORDER BY id LIMIT ${BigInt(dropAtOnce)}::bigint) RETURNING 1`)
        dropped += rows.length
        if (rows.length < dropAtOnce) return dropped
      }
    })

    return RecordStore.RecordStore.of({ trafficReports, accessLog, conflicts, conflict, retainAccessLog })
  })
)
