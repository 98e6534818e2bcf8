/** Writes a settlement: one statement for each table it touches, rows in the order of their keys. */
import type { Instant, Transaction, Usage, UsageStore } from "@vpnmgr/core"
import { Id } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { at, list } from "./Column.ts"
import { written } from "./Failure.ts"
import * as RawId from "./RawId.ts"

const largestInt8 = 2n ** 63n - 1n

/** A row as several whose bytes a column holds: sums are made of raw rows, so none may say less than was counted. */
const parts = (row: Usage.ReportRow): ReadonlyArray<Usage.ReportRow> => {
  const first = { up: smaller(row.up), down: smaller(row.down) }
  const rest = { ...row, up: row.up - first.up, down: row.down - first.down }
  if (rest.up + rest.down === 0n) return [row]
  return [{ ...row, ...first }, ...parts({ ...rest, weighted: 0n })]
}

const smaller = (value: bigint): bigint => (value > largestInt8 ? largestInt8 : value)

/** Ids of rows of one batch, ordered by time, then by the entry's place. */
const idsOf = (count: number, instant: Instant.Instant): ReadonlyArray<string> => {
  const random = crypto.getRandomValues(new Uint8Array(10))
  const view = new DataView(random.buffer)
  return Array.from({ length: count }, (_, index) => {
    view.setUint16(3, index)
    return Id.v7(instant, random)
  })
}

/** Makes the writer over a client. */
export const make = (sql: SqlClient.SqlClient) => {
  type Amounts = ReadonlyArray<Usage.Amount>
  const sums = (rows: Amounts) => sql`${list(rows.map((row) => row.up))}::text::numeric[],
    ${list(rows.map((row) => row.down))}::text::numeric[], ${list(rows.map((row) => row.weighted))}::text::numeric[]`

  /** Raw rows, and the batch they are found by. They wait there for `fold`. */
  const reports = ({ key, from, to, shift, settlement: { pieces, rows } }: UsageStore.Recording) => {
    const kept = rows.flatMap(parts)
    const ids = RawId.make(to)
    const piece = Math.min(...pieces.map((each) => each.at))
    const distinct = (values: ReadonlyArray<string | null>) => list([...new Set(values.filter((id) => id !== null))])
    return sql`
    WITH batch AS (
      INSERT INTO report_batch (node_id, token_id, received_at, from_at, to_at, piece_at, shift, first_id, last_id,
        row_count, inbound_ids, owner_ids)
      VALUES (${key.nodeId}::uuid, ${key.tokenId}::uuid, ${at(sql, key.receivedAt)}, ${at(sql, from)}, ${at(sql, to)},
        ${at(sql, piece)}, ${BigInt(Math.round(shift))}::bigint, ${ids.at(1)}::uuid, ${ids.at(kept.length)}::uuid,
        ${kept.length}::int, ${distinct(kept.map((row) => row.inboundId))}::text::uuid[],
        ${distinct(kept.map((row) => row.ownerId))}::text::uuid[])
      RETURNING batch)
    INSERT INTO traffic_report (id, batch, received_at, node_id, subscription_id, inbound_id, owner_id, from_at, to_at,
      bytes_up, bytes_down, weighted)
    SELECT ${ids.sql(sql, sql`n`)}, batch, ${at(sql, key.receivedAt)}, ${key.nodeId}::uuid, subscription_id, inbound_id,
      owner_id, ${at(sql, from)}, ${at(sql, to)}, up, down, weighted
    FROM batch, unnest(${kept.map((row) => row.subscriptionId)}::uuid[],
      ${kept.map((row) => row.inboundId)}::uuid[], ${list(kept.map((row) => row.ownerId))}::text::uuid[],
      ${kept.map((row) => row.up)}::bigint[], ${kept.map((row) => row.down)}::bigint[],
      ${list(kept.map((row) => row.weighted))}::text::numeric[]
    ) WITH ORDINALITY AS new (subscription_id, inbound_id, owner_id, up, down, weighted, n)`
  }

  const ownerPieces = (nodeId: string, rows: Usage.Settlement["ownerPieces"]) => sql`
    INSERT INTO owner_piece AS p (owner_id, at, node_id, bytes_up, bytes_down, weighted)
    SELECT owner_id, to_timestamp(at / 1000) AS at, ${nodeId}::uuid, up, down, weighted
    FROM unnest(${list(rows.map((row) => row.ownerId))}::text::uuid[], ${list(rows.map((row) => row.at))}::text::float8[], ${sums(rows)}
    ) AS new (owner_id, at, up, down, weighted)
    ORDER BY owner_id, at
    ON CONFLICT (owner_id, at, node_id) DO UPDATE SET bytes_up = p.bytes_up + EXCLUDED.bytes_up,
      bytes_down = p.bytes_down + EXCLUDED.bytes_down, weighted = p.weighted + EXCLUDED.weighted`

  const current = (rows: Usage.Settlement["current"]) => sql`
    UPDATE bucket b SET used = b.used + new.weighted, bytes_up = b.bytes_up + new.up, bytes_down = b.bytes_down + new.down
    FROM unnest(${rows.map((row) => row.subscriptionId)}::uuid[], ${sums(rows)}) AS new (id, up, down, weighted)
    WHERE b.id = new.id AND b.kind = 'subscription'`

  const ownerCurrent = (nodeId: string, rows: Usage.Settlement["ownerCurrent"]) => sql`
    INSERT INTO owner_usage AS u (owner_id, window_start, node_id, bytes_up, bytes_down, used)
    SELECT owner_id, to_timestamp(window_start / 1000), ${nodeId}::uuid, up, down, weighted
    FROM unnest(${list(rows.map((row) => row.ownerId))}::text::uuid[], ${list(rows.map((row) => row.windowStart))}::text::float8[], ${sums(rows)}
    ) AS new (owner_id, window_start, up, down, weighted)
    ORDER BY owner_id
    ON CONFLICT (owner_id, window_start, node_id) DO UPDATE SET bytes_up = u.bytes_up + EXCLUDED.bytes_up,
      bytes_down = u.bytes_down + EXCLUDED.bytes_down, used = u.used + EXCLUDED.used`

  const quarantine = ({ key, from, to, settlement: { quarantined } }: UsageStore.Recording) => sql`
    INSERT INTO quarantine (id, node_id, token_id, spool, seq, received_at, from_at, to_at, credential, inbound, bytes_up,
      bytes_down, reason)
    SELECT id, ${key.nodeId}::uuid, ${key.tokenId}::uuid, ${key.spool}::uuid, ${BigInt(key.seq)}::bigint,
      ${at(sql, key.receivedAt)}, ${at(sql, from)}, ${at(sql, to)}, credential, inbound, up, down, reason
    FROM unnest(${idsOf(quarantined.length, key.receivedAt)}::uuid[],
      ${quarantined.map(({ entry }) => BigInt(entry.credential))}::bigint[],
      ${quarantined.map(({ entry }) => BigInt(entry.inbound))}::bigint[],
      ${quarantined.map(({ entry }) => entry.bytesUp)}::bigint[], ${quarantined.map(({ entry }) => entry.bytesDown)}::bigint[],
      ${quarantined.map(({ reason }) => reason)}::text[]) AS new (id, credential, inbound, up, down, reason)`

  const unlessEmpty = (
    rows: ReadonlyArray<unknown>,
    statement: () => Effect.Effect<unknown, SqlError.SqlError>
  ): Effect.Effect<unknown, SqlError.SqlError> => (rows.length === 0 ? Effect.void : Effect.suspend(statement))

  /** Adds to what owners used, in the window they are in and in the pieces that stay. */
  const owners = (
    nodeId: string,
    settled: Pick<Usage.Settlement, "ownerCurrent" | "ownerPieces">
  ): Effect.Effect<void, SqlError.SqlError> =>
    Effect.all(
      [
        unlessEmpty(settled.ownerCurrent, () => ownerCurrent(nodeId, settled.ownerCurrent)),
        unlessEmpty(settled.ownerPieces, () => ownerPieces(nodeId, settled.ownerPieces))
      ],
      { discard: true }
    )

  const record = Effect.fn("PgUsageStore.record")((
    recording: UsageStore.Recording
  ): Effect.Effect<void, Transaction.StoreError> => {
    const { key, settlement } = recording
    return written(
      Effect.all(
        [
          unlessEmpty(settlement.current, () => current(settlement.current)),
          owners(key.nodeId, settlement),
          unlessEmpty(settlement.rows, () => reports(recording)),
          unlessEmpty(settlement.quarantined, () => quarantine(recording))
        ],
        { discard: true }
      )
    )
  })

  return { owners, record }
}
