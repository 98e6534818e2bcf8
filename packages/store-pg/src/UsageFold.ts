/**
 * Brings pieces and the access log up to the raw rows. A report writes its rows and adds to the counters; what is kept
 * by the hour and by the span of use is made of many reports at once, each row once: what is folded is no longer pending,
 * in the same transaction. Batches are told apart by a flag of their own and not by a number reached, since one with a
 * lower number may be committed later.
 */
import type { Transaction } from "@vpnmgr/core"
import { AccessLog } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { stored } from "./Failure.ts"
import * as Pending from "./Pending.ts"

/** Rows folded in one transaction, about. */
const rowsAtOnce = 500_000

const seconds = (milliseconds: number) => `interval '${milliseconds / 1000} seconds'`

const newId = `(lpad(to_hex(round(date_part('epoch', d.started_at) * 1000)::bigint), 12, '0') || '7'
  || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid`

/** Makes the folder over a client. Its verbs run inside the caller's transaction. */
export const make = (sql: SqlClient.SqlClient) => {
  const pending = Pending.make(sql)

  const pieces = (batches: ReadonlyArray<bigint>, rows: Pending.Rows) => sql`
    INSERT INTO usage_piece AS p (subscription_id, at, inbound_id, bytes_up, bytes_down, weighted)
    SELECT subscription_id, at, inbound_id, sum(bytes_up), sum(bytes_down), sum(weighted) FROM (
      SELECT r.subscription_id, ${rows.piece} AS at, r.inbound_id, r.bytes_up, r.bytes_down, r.weighted
      FROM ${rows.from} WHERE h.batch = ANY(${batches}::bigint[])) w
    GROUP BY subscription_id, at, inbound_id ORDER BY subscription_id, at, inbound_id
    ON CONFLICT (subscription_id, at, inbound_id) DO UPDATE SET bytes_up = p.bytes_up + EXCLUDED.bytes_up,
      bytes_down = p.bytes_down + EXCLUDED.bytes_down, weighted = p.weighted + EXCLUDED.weighted`

  const table = sql`CREATE TEMP TABLE folding (use bigint, n bigint, subscription_id uuid, inbound_id uuid, owner_id uuid,
    from_at timestamptz, to_at timestamptz, node_id uuid, token_id uuid, bytes_up numeric, bytes_down numeric)
    ON COMMIT DROP`

  /** Intervals of use by who used what, in the order of their batches. */
  const gather = (batches: ReadonlyArray<bigint>, rows: Pending.Rows) => sql`
    INSERT INTO folding
    SELECT dense_rank() OVER (ORDER BY r.subscription_id, r.inbound_id, r.owner_id), h.batch, r.subscription_id,
      r.inbound_id, r.owner_id, h.from_at, h.to_at, h.node_id, h.token_id, r.bytes_up, r.bytes_down
    FROM ${rows.from} WHERE h.batch = ANY(${batches}::bigint[])`

  const same = sql.literal(`a.subscription_id = d.subscription_id AND a.inbound_id = d.inbound_id
    AND a.owner_id IS NOT DISTINCT FROM d.owner_id`)
  const idle = sql.literal(seconds(AccessLog.idleFor))
  const longest = sql.literal(seconds(AccessLog.longestSpan))

  /**
   * One step of every use: its first interval finds its span by the rule of `AccessLog.continues`, or opens one, and the
   * intervals after it join as long as the rule keeps them there. What does not is left for the next step.
   *
   * What is done to the log is put together first, so that the log is joined with one set alone: the planner cannot know
   * that a use has one row in each, and joined three of them in a loop, 100,000 uses by 100,000, for more than six minutes.
   */
  const step = sql<{ readonly left: number }>`
    WITH d AS MATERIALIZED (SELECT DISTINCT ON (use) * FROM folding ORDER BY use, n),
    placed AS MATERIALIZED (
      SELECT d.use, d.n, d.subscription_id, d.inbound_id, d.owner_id, d.node_id, d.token_id,
        coalesce(last.started_at, d.from_at) AS started_at, last.started_at IS NOT NULL AS is_found,
        greatest(last.ended_at, d.to_at) AS ended_at, (SELECT min(a.started_at) FROM access_log a
          WHERE ${same} AND a.started_at > coalesce(last.started_at, d.from_at)) AS next_at
      FROM d LEFT JOIN LATERAL (SELECT * FROM (
        SELECT a.started_at, a.ended_at FROM access_log a WHERE ${same} AND a.started_at <= d.to_at
        ORDER BY a.started_at DESC LIMIT 1) newest
        WHERE newest.ended_at >= d.from_at - ${idle} AND newest.started_at >= d.to_at - ${longest}) last ON true),
    steps AS (
      SELECT f.use, f.n, f.to_at, f.bytes_up, f.bytes_down, f.n = p.n OR (
          greatest(p.ended_at, max(f.to_at) OVER (PARTITION BY f.use ORDER BY f.n
            RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) >= f.from_at - ${idle}
          AND p.started_at >= f.to_at - ${longest} AND p.started_at <= f.to_at
          AND (p.next_at IS NULL OR p.next_at > f.to_at)) AS joins
      FROM folding f JOIN placed p ON p.use = f.use),
    joined AS (SELECT * FROM (
      SELECT *, bool_and(joins) OVER (PARTITION BY use ORDER BY n) AS is_of FROM steps) s WHERE is_of),
    sums AS MATERIALIZED (SELECT use, max(n) AS upto, max(to_at) AS ended_at, sum(bytes_up) AS up, sum(bytes_down) AS down
      FROM joined GROUP BY use),
    moves AS MATERIALIZED (
      SELECT p.subscription_id, p.inbound_id, p.owner_id, p.node_id, p.token_id, p.started_at, p.is_found, s.ended_at, s.up, s.down
      FROM placed p JOIN sums s USING (use)),
    continued AS (
      UPDATE access_log a SET ended_at = greatest(a.ended_at, d.ended_at), bytes_up = a.bytes_up + d.up,
        bytes_down = a.bytes_down + d.down
      FROM moves d WHERE d.is_found AND ${same} AND a.started_at = d.started_at),
    opened AS (
      INSERT INTO access_log AS a (subscription_id, inbound_id, owner_id, started_at, ended_at, id, node_id, token_id,
        bytes_up, bytes_down)
      SELECT d.subscription_id, d.inbound_id, d.owner_id, d.started_at, d.ended_at, ${sql.literal(newId)}, d.node_id,
        d.token_id, d.up, d.down
      FROM moves d WHERE NOT d.is_found
      ON CONFLICT (subscription_id, inbound_id, started_at, owner_id) DO UPDATE
        SET ended_at = greatest(a.ended_at, EXCLUDED.ended_at), bytes_up = a.bytes_up + EXCLUDED.bytes_up,
          bytes_down = a.bytes_down + EXCLUDED.bytes_down),
    gone AS (DELETE FROM folding f USING sums s WHERE f.use = s.use AND f.n <= s.upto RETURNING 1)
    SELECT ((SELECT count(*) FROM folding) - (SELECT count(*) FROM gone))::int AS left`

  const accessLog = Effect.fnUntraced(function* (batches: ReadonlyArray<bigint>, rows: Pending.Rows) {
    yield* table
    yield* gather(batches, rows)
    yield* sql`ANALYZE folding`
    while ((yield* step)[0]!.left > 0);
    yield* sql`DROP TABLE folding`
  })

  const batchesOf = (condition: Statement.Fragment) =>
    sql<{ readonly batch: bigint; readonly rows: number }>`
      SELECT batch, row_count AS rows FROM (
        SELECT batch, row_count, sum(row_count) OVER (ORDER BY batch) - row_count AS before FROM report_batch
        WHERE is_pending AND ${condition}) b
      WHERE before < ${rowsAtOnce}::bigint ORDER BY batch`

  const folding = Effect.fnUntraced(function* (condition: Statement.Fragment) {
    const found = yield* batchesOf(condition)
    const rows = yield* pending.rows(Number.NEGATIVE_INFINITY)
    if (found.length === 0 || rows === null) return 0
    const batches = found.map(({ batch }) => batch)
    yield* pieces(batches, rows)
    yield* accessLog(batches, rows)
    yield* sql`UPDATE report_batch SET is_pending = false WHERE is_pending AND batch = ANY(${batches}::bigint[])`
    return found.reduce((sum, each) => sum + each.rows, 0)
  })

  const lock = sql.literal("hashtextextended(current_schema() || '.fold', 0)")

  /**
   * Folds everything that fulfils a condition on `report_batch`. Waits for whoever folds, and keeps everybody else from
   * it until the transaction ends.
   */
  const all = (condition: Statement.Fragment): Effect.Effect<void, SqlError.SqlError> =>
    Effect.gen(function* () {
      yield* sql`SELECT pg_advisory_xact_lock(${lock})`
      while ((yield* folding(condition)) > 0);
    })

  /** What is oldest, up to a bound; zero when somebody else folds. */
  const some: Effect.Effect<number, Transaction.StoreError> = stored(
    Effect.gen(function* () {
      const [tried] = yield* sql<{ readonly mine: boolean }>`SELECT pg_try_advisory_xact_lock(${lock}) AS mine`
      return tried!.mine ? yield* folding(sql`true`) : 0
    })
  )

  return { all, some }
}
