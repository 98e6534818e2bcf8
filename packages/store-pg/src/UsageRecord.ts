/** Writes a settlement: one statement for each table it touches, rows in the order of their keys. */
import type { Instant, Transaction, Usage, UsageStore } from "@vpnmgr/core"
import { AccessLog, Id } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { at, list } from "./Column.ts"
import { written } from "./Failure.ts"

const largestInt8 = 2n ** 63n - 1n

/** A raw row's bytes; sums are kept exactly elsewhere, so nothing that was counted is refused here. */
const int8 = (value: bigint): bigint => (value > largestInt8 ? largestInt8 : value)

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

  const reports = ({ key, from, to, shift, settlement: { rows } }: UsageStore.Recording) => sql`
    INSERT INTO traffic_report (id, received_at, node_id, subscription_id, inbound_id, owner_id, from_at, to_at, shift,
      bytes_up, bytes_down, weighted)
    SELECT id, ${at(sql, key.receivedAt)}, ${key.nodeId}::uuid, subscription_id, inbound_id, owner_id,
      ${at(sql, from)}, ${at(sql, to)}, ${BigInt(Math.round(shift))}::bigint, up, down, weighted
    FROM unnest(${idsOf(rows.length, to)}::uuid[], ${rows.map((row) => row.subscriptionId)}::uuid[],
      ${rows.map((row) => row.inboundId)}::uuid[], ${list(rows.map((row) => row.ownerId))}::text::uuid[],
      ${rows.map((row) => int8(row.up))}::bigint[], ${rows.map((row) => int8(row.down))}::bigint[],
      ${list(rows.map((row) => row.weighted))}::text::numeric[]
    ) AS new (id, subscription_id, inbound_id, owner_id, up, down, weighted)`

  const pieces = (rows: Usage.Settlement["pieces"]) => sql`
    INSERT INTO usage_piece AS p (subscription_id, at, inbound_id, bytes_up, bytes_down, weighted)
    SELECT subscription_id, to_timestamp(at / 1000) AS at, inbound_id, up, down, weighted
    FROM unnest(${rows.map((row) => row.subscriptionId)}::uuid[], ${rows.map((row) => row.inboundId)}::uuid[],
      ${list(rows.map((row) => row.at))}::text::float8[], ${sums(rows)}) AS new (subscription_id, inbound_id, at, up, down, weighted)
    ORDER BY subscription_id, at, inbound_id
    ON CONFLICT (subscription_id, at, inbound_id) DO UPDATE SET bytes_up = p.bytes_up + EXCLUDED.bytes_up,
      bytes_down = p.bytes_down + EXCLUDED.bytes_down, weighted = p.weighted + EXCLUDED.weighted`

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

  /**
   * By the rule of `AccessLog.continues`: continues the newest span of each (subscription, inbound) of the same owner
   * that is still open, and opens one for the rest.
   */
  const accessLog = ({ key, from, to, settlement: { rows } }: UsageStore.Recording) => sql`
    WITH input AS (
      SELECT * FROM unnest(${rows.map((row) => row.subscriptionId)}::uuid[], ${rows.map((row) => row.inboundId)}::uuid[],
        ${list(rows.map((row) => row.ownerId))}::text::uuid[], ${idsOf(rows.length, from)}::uuid[], ${sums(rows)}
      ) AS new (subscription_id, inbound_id, owner_id, id, up, down, weighted)),
    placed AS (
      SELECT input.*, last.started_at FROM input LEFT JOIN LATERAL (
        SELECT a.started_at, a.ended_at FROM access_log a
        WHERE a.subscription_id = input.subscription_id AND a.inbound_id = input.inbound_id
          AND a.owner_id IS NOT DISTINCT FROM input.owner_id AND a.started_at <= ${at(sql, to)}
        ORDER BY a.started_at DESC LIMIT 1
      ) last ON last.ended_at >= ${at(sql, from - AccessLog.idleFor)} AND last.started_at >= ${at(sql, to - AccessLog.longestSpan)}),
    continued AS (
      UPDATE access_log a SET ended_at = greatest(a.ended_at, ${at(sql, to)}), bytes_up = a.bytes_up + p.up,
        bytes_down = a.bytes_down + p.down
      FROM placed p
      WHERE a.subscription_id = p.subscription_id AND a.inbound_id = p.inbound_id AND a.started_at = p.started_at
        AND a.owner_id IS NOT DISTINCT FROM p.owner_id)
    INSERT INTO access_log AS a (subscription_id, inbound_id, owner_id, started_at, ended_at, id, node_id, token_id,
      bytes_up, bytes_down)
    SELECT subscription_id, inbound_id, owner_id, ${at(sql, from)}, ${at(sql, to)}, id, ${key.nodeId}::uuid,
      ${key.tokenId}::uuid, up, down
    FROM placed WHERE started_at IS NULL
    ON CONFLICT (subscription_id, inbound_id, started_at, owner_id) DO UPDATE
      SET ended_at = greatest(a.ended_at, EXCLUDED.ended_at), bytes_up = a.bytes_up + EXCLUDED.bytes_up,
        bytes_down = a.bytes_down + EXCLUDED.bytes_down`

  const unlessEmpty = (
    rows: ReadonlyArray<unknown>,
    statement: () => Effect.Effect<unknown, SqlError.SqlError>
  ): Effect.Effect<unknown, SqlError.SqlError> => (rows.length === 0 ? Effect.void : Effect.suspend(statement))

  return Effect.fn("PgUsageStore.record")(
    (recording: UsageStore.Recording): Effect.Effect<void, Transaction.StoreError> => {
      const { key, settlement } = recording
      return written(
        Effect.all(
          [
            unlessEmpty(settlement.current, () => current(settlement.current)),
            unlessEmpty(settlement.ownerCurrent, () => ownerCurrent(key.nodeId, settlement.ownerCurrent)),
            unlessEmpty(settlement.pieces, () => pieces(settlement.pieces)),
            unlessEmpty(settlement.ownerPieces, () => ownerPieces(key.nodeId, settlement.ownerPieces)),
            unlessEmpty(settlement.rows, () => reports(recording)),
            unlessEmpty(settlement.rows, () => accessLog(recording)),
            unlessEmpty(settlement.quarantined, () => quarantine(recording))
          ],
          { discard: true }
        )
      )
    }
  )
}
