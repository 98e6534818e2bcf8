/**
 * Pages of raw rows, newest first. Raw rows have no index of their own but where they lie: a list walks back in spans of
 * time, each bounded by the batches that have rows in it, or by the hours in which a subscription has pieces.
 *
 * All rows of a batch have ids of one millisecond, so that between two of these boundaries no batch is cut.
 */
import type { AuditLog, Instant, RecordStore } from "@vpnmgr/core"
import { Id } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { millis } from "./Column.ts"
import * as Pending from "./Pending.ts"

/** Rows looked at in the first span, about; each later one has four times as many. */
const firstSpan = 2000

/** Batches looked at for one span at most. */
const batchesAtOnce = 2000

/** Hours of a subscription asked for at once. */
const hoursAtOnce = 200

const hour = 3_600_000

const topmost = "ffffffff-ffff-ffff-ffff-ffffffffffff"

/** The last millisecond that an id can say. */
const latest = 2 ** 48 - 1

const timeOf = (id: string): Instant.Instant => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

/** The first id of the millisecond after this one's. */
const above = (id: string): string => (timeOf(id) >= latest ? topmost : Id.lowest(timeOf(id) + 1))

const smaller = (one: string, other: string): string => (one < other ? one : other)

/** Where rows are looked for: `low` ≤ id < `high`. */
interface Span {
  readonly low: string
  readonly high: string
}

interface Bounds {
  readonly first: string | null
  readonly last: string
}

/** Makes the reader over a client. */
export const make = (sql: SqlClient.SqlClient) => {
  const pending = Pending.make(sql)

  const batchesOf = ({ inboundId, nodeId, ownerId }: RecordStore.RecordFilter, { low, high }: Span) =>
    sql.and([
      sql`last_id >= ${low}::uuid`,
      sql`last_id < ${above(high)}::uuid`,
      sql`first_id < ${high}::uuid`,
      ...(nodeId === undefined ? [] : [sql`node_id = ${nodeId}::uuid`]),
      ...(inboundId === undefined ? [] : [sql`${inboundId}::uuid = ANY(inbound_ids)`]),
      ...(ownerId === undefined ? [] : [sql`${ownerId}::uuid = ANY(owner_ids)`])
    ])

  /** Where a span of about this many rows begins; null when all that is left is in it. */
  const beginning = (filter: RecordStore.RecordFilter, span: Span, rows: number) =>
    Effect.map(
      sql<{ readonly first: string }>`SELECT first_id::text AS first FROM (
          SELECT first_id, last_id, row_count, sum(row_count) OVER (ORDER BY last_id DESC) AS total,
            row_number() OVER (ORDER BY last_id DESC) AS place FROM (
            SELECT first_id, last_id, row_count FROM report_batch WHERE ${batchesOf(filter, span)}
            ORDER BY last_id DESC LIMIT ${batchesAtOnce}::int) b) s
        WHERE total >= ${rows}::bigint OR place = ${batchesAtOnce}::int ORDER BY last_id DESC LIMIT 1`,
      ([row]) => (row === undefined ? null : Id.lowest(timeOf(row.first)))
    )

  const rowsIn = Effect.fnUntraced(function* (filter: RecordStore.RecordFilter, span: Span, limit: number) {
    const [bounds] = yield* sql<Bounds>`SELECT min(received_at)::text AS first, max(received_at)::text AS last
      FROM report_batch WHERE ${batchesOf(filter, span)}`
    if (bounds === undefined || bounds.first === null) return []
    const { inboundId, nodeId, ownerId, subscriptionId } = filter
    const is = (column: string, value: string | undefined): ReadonlyArray<Statement.Fragment> =>
      value === undefined ? [] : [sql`${sql(column)} = ${value}::uuid`]
    return yield* sql<RecordStore.TrafficRecord>`SELECT id, subscription_id AS "subscriptionId",
        inbound_id AS "inboundId", node_id AS "nodeId", bytes_up AS "bytesUp", bytes_down AS "bytesDown",
        ${sql.literal(millis("from_at"))} AS "from", ${sql.literal(millis("to_at"))} AS timestamp
      FROM traffic_report WHERE ${sql.and([
        sql`id >= ${span.low}::uuid`,
        sql`id < ${span.high}::uuid`,
        sql`received_at BETWEEN ${bounds.first}::text::timestamptz AND ${bounds.last}::text::timestamptz`,
        ...is("subscription_id", subscriptionId),
        ...is("inbound_id", inboundId),
        ...is("node_id", nodeId),
        ...is("owner_id", ownerId)
      ])} ORDER BY id DESC LIMIT ${BigInt(limit)}::bigint`
  })

  type Rows = Array<RecordStore.TrafficRecord>
  type Found = Effect.Effect<Rows, SqlError.SqlError>

  /** By batches: as many rows at a time as are wanted, and more where a filter keeps few of them. */
  const byBatches = (filter: RecordStore.RecordFilter, { high, low }: Span, limit: number): Found =>
    Effect.gen(function* () {
      const isSparse = filter.ownerId !== undefined || filter.inboundId !== undefined
      const rows: Rows = []
      let [span, size]: [string, number] = [high, isSparse ? firstSpan : limit]
      while (rows.length < limit) {
        const began = yield* beginning(filter, { low, high: span }, size)
        const start = began === null || began < low ? low : began
        rows.push(...(yield* rowsIn(filter, { low: start, high: span }, limit - rows.length)))
        if (began === null || start === low) break
        span = start
        size *= 4
      }
      return rows
    })

  /** By the hours in which the subscription has pieces. */
  const bySubscription = (
    filter: RecordStore.RecordFilter & { readonly subscriptionId: string },
    { high, low }: Span,
    limit: number
  ): Found =>
    Effect.gen(function* () {
      const rows: Rows = []
      const first = timeOf(low) - hour
      let [top, until] = [high, high === topmost ? 2 ** 47 : timeOf(high) + 1]
      while (rows.length < limit) {
        const pieces = yield* pending.pieces(filter.subscriptionId, first, until)
        const hours = yield* sql<{ readonly at: number }>`SELECT ${sql.literal(millis("p.at"))} AS at FROM ${pieces} p
          GROUP BY p.at ORDER BY p.at DESC LIMIT ${hoursAtOnce}::int`
        for (const { at: start } of hours) {
          if (rows.length >= limit) return rows
          const span = {
            low: Id.lowest(start) < low ? low : Id.lowest(start),
            high: smaller(top, Id.lowest(Math.min(latest, start + hour + 1)))
          }
          if (span.low < span.high) rows.push(...(yield* rowsIn(filter, span, limit - rows.length)))
          top = smaller(top, span.low)
        }
        if (hours.length < hoursAtOnce) return rows
        until = hours.at(-1)!.at
      }
      return rows
    })

  return (filter: RecordStore.RecordFilter, { after, limit }: AuditLog.Page): Found => {
    const low = filter.from === undefined ? Id.lowest(0) : Id.lowest(filter.from)
    const high = smaller(after ?? topmost, filter.to === undefined ? topmost : Id.lowest(filter.to))
    const { subscriptionId } = filter
    if (low >= high) return Effect.succeed([])
    return subscriptionId === undefined
      ? byBatches(filter, { low, high }, limit)
      : bySubscription({ ...filter, subscriptionId }, { low, high }, limit)
  }
}
