/**
 * Raw rows that are not folded yet. Whatever answers from pieces adds them up, so that a row counts from its commit on.
 *
 * Which rows those are is asked by one statement and used in the next; what is folded in between is in the pieces then
 * and waits no more, and no statement sees it twice or not at all.
 */
import type { Instant } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { at } from "./Column.ts"

interface Span {
  readonly first: bigint | null
  readonly last: bigint
  readonly earliest: string
  readonly latest: string
  readonly since: string
}

/**
 * Where the piece begins that a raw row `r` of a batch `h` adds to: the batch's own, or the latest reset of the
 * subscription within it (`Window.piece`).
 */
const piece = (hasCuts: boolean): string =>
  hasCuts
    ? `greatest(h.piece_at, (SELECT max(c.at) FROM bucket_cut c WHERE c.bucket_id = r.subscription_id
        AND c.kind = 'subscription' AND c.at > h.piece_at AND c.at < h.to_at))`
    : "h.piece_at"

/** Makes the reader over a client. */
export const make = (sql: SqlClient.SqlClient) => {
  /** The rows of the pending batches whose interval ended after this, as a FROM clause `h`, `r`; null: there are none. */
  const rows = (after: Instant.Instant): Effect.Effect<Rows | null, SqlError.SqlError> =>
    Effect.map(
      sql<Span & { readonly hasCuts: boolean }>`SELECT min(batch) AS first, max(batch) AS last,
        min(received_at)::text AS earliest, max(received_at)::text AS latest,
        EXISTS (SELECT FROM bucket_cut c WHERE c.kind = 'subscription' AND c.at > min(h.piece_at)) AS "hasCuts"
        FROM report_batch h WHERE is_pending AND to_at > ${at(sql, after)}`,
      ([span]) => (span === undefined || span.first === null ? null : rowsIn(sql, span, span.hasCuts))
    )

  /** A subscription's pieces of a span of time, folded or not, as a FROM clause; one piece may be several rows. */
  const pieces = (
    subscriptionId: string,
    from: Instant.Instant,
    to: Instant.Instant
  ): Effect.Effect<Statement.Fragment, SqlError.SqlError> =>
    Effect.map(rows(from), (pending) => {
      const folded = sql`SELECT inbound_id, at, bytes_up, bytes_down, weighted FROM usage_piece
        WHERE subscription_id = ${subscriptionId}::uuid AND at >= ${at(sql, from)} AND at < ${at(sql, to)}`
      if (pending === null) return sql`(${folded})`
      return sql`(${folded} UNION ALL
        SELECT * FROM (SELECT r.inbound_id, ${pending.piece} AS at, r.bytes_up, r.bytes_down, r.weighted
          FROM ${pending.from} WHERE r.subscription_id = ${subscriptionId}::uuid) w
        WHERE at >= ${at(sql, from)} AND at < ${at(sql, to)})`
    })

  return { pieces, rows }
}

export interface Rows {
  readonly from: Statement.Fragment
  /** The piece of a row. */
  readonly piece: Statement.Fragment
}

/**
 * The rows are found first, by their range, and each asks for its batch: the subquery's OFFSET keeps the planner from
 * turning that round. It would where it expects few batches to wait, as it does while they come in faster than
 * statistics are gathered, and then reads the whole range once for every batch: 2,300 batches took longer than 17 s.
 */
const rowsIn = (sql: SqlClient.SqlClient, { earliest, first, last, latest }: Span, hasCuts: boolean): Rows => ({
  from: sql`(SELECT * FROM traffic_report WHERE batch BETWEEN ${first!}::bigint AND ${last}::bigint
      AND received_at BETWEEN ${earliest}::text::timestamptz AND ${latest}::text::timestamptz) r
    CROSS JOIN LATERAL (SELECT * FROM report_batch h WHERE h.batch = r.batch AND h.is_pending OFFSET 0) h`,
  piece: sql.literal(piece(hasCuts))
})
