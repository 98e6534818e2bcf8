/** That lists of records are served by indexes: every filter, on enough rows for it to matter. */
import { assert, describe, layer } from "@effect/vitest"
import { AuditLog, QuarantineStore, RecordStore, type Transaction } from "@vpnmgr/core"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { database, postgresClient, skipped } from "./Databases.ts"

const url = await database()

const day = 86_400_000
const today = Math.floor(Date.now() / day) * day

const idOf = (n: number) => `0199f3f0-5a7e-7cc3-8a11-${n.toString(16).padStart(12, "0")}`
const sqlId = (n: string) => `('0199f3f0-5a7e-7cc3-8a11-' || lpad(to_hex(${n}), 12, '0'))::uuid`
const v7 = (at: string) => `(lpad(to_hex((extract(epoch FROM ${at}) * 1000)::bigint), 12, '0') || '70008000'
  || lpad(to_hex(n), 12, '0'))::uuid`

/** Row n of three days, of one of 200 subscriptions, 50 inbounds, 10 nodes and 20 owners. */
const moment = `to_timestamp(${today / 1000}) + n % 250000 * interval '1 second'`
const places = `${sqlId("n % 200")}, ${sqlId("1000 + n % 50")}, ${sqlId("2000 + n % 10")}`

const fill = [
  `INSERT INTO traffic_report (id, received_at, batch, subscription_id, inbound_id, node_id, owner_id, from_at, to_at,
      bytes_up, bytes_down, weighted)
    SELECT ${v7("at")}, at, n, ${places}, ${sqlId("3000 + n % 20")}, at - interval '10 seconds', at, n, n, n
    FROM (SELECT n * 4 AS n, ${moment.replace("n %", "n * 4 %")} AS at FROM generate_series(1, 60000) n) m`,
  `INSERT INTO report_batch (batch, node_id, received_at, from_at, to_at, piece_at, shift, first_id, last_id, row_count,
      inbound_ids, owner_ids, is_pending)
    SELECT batch, node_id, received_at, from_at, to_at, to_at, 0, id, id, 1, ARRAY[inbound_id], ARRAY[owner_id], false
    FROM traffic_report`,
  `INSERT INTO usage_piece (subscription_id, at, inbound_id, bytes_up, bytes_down, weighted)
    SELECT subscription_id, date_trunc('hour', to_at - interval '1 millisecond', 'UTC'), inbound_id, sum(bytes_up),
      sum(bytes_down), sum(weighted)
    FROM traffic_report GROUP BY 1, 2, 3`,
  `SELECT brin_summarize_new_values(inhrelid) FROM pg_inherits WHERE inhparent = 'traffic_report_place_idx'::regclass`,
  `INSERT INTO access_log (id, subscription_id, inbound_id, node_id, owner_id, token_id, started_at, ended_at, bytes_up, bytes_down)
    SELECT ${v7("at")}, ${places}, ${sqlId("3000 + n % 20")}, ${sqlId("4000 + n % 10")}, at, at, n, n
    FROM (SELECT n, ${moment} AS at FROM generate_series(1, 60000) n) m`,
  `INSERT INTO audit_log (id, timestamp, actor_id, action, target_type, target_id, meta)
    SELECT ${v7("at")}, at, ${sqlId("n % 30")}, 'action.' || n % 40, 'type.' || n % 15, ${sqlId("n % 5000")}, '{}'
    FROM (SELECT n, ${moment} AS at FROM generate_series(1, 30000) n) m`,
  `INSERT INTO quarantine (id, node_id, token_id, spool, seq, received_at, from_at, to_at, credential, inbound, bytes_up,
      bytes_down, reason, state)
    SELECT ${v7("at")}, ${sqlId("2000 + n % 10")}, ${sqlId("1")}, ${sqlId("1")}, n, at, at, at, n, n, n, n,
      (ARRAY['negative', 'never_linked', 'faster_than_link'])[1 + n % 3], CASE WHEN n % 10 = 0 THEN 'open' ELSE 'applied' END
    FROM (SELECT n, ${moment} AS at FROM generate_series(1, 30000) n) m`,
  `INSERT INTO report_conflict (id, node_id, token_id, spool, seq, digest, received_at, batch)
    SELECT ${v7("at")}, ${sqlId("2000 + n % 10")}, ${sqlId("1")}, ${sqlId("1")}, n, '', at, '{"entries": []}'
    FROM (SELECT n, ${moment} AS at FROM generate_series(1, 20000) n) m`,
  `ANALYZE`
]

const between = { from: today + 3_600_000, to: today + 7_200_000 }
const place = { subscriptionId: idOf(8), inboundId: idOf(1008), nodeId: idOf(2008), ownerId: idOf(3008) }
const placed: ReadonlyArray<RecordStore.RecordFilter> = [
  {},
  between,
  ...Object.entries(place).flatMap(([key, value]) => [{ [key]: value }, { [key]: value, ...between }]),
  { ownerId: place.ownerId, nodeId: place.nodeId },
  place
]

/**
 * Raw rows are found by spans of time, and of a table as small as this one a span is so large a part that scanning may be
 * right. So it is asked whether they can be found otherwise.
 */
const couldRead = "enable_seqscan = off"

interface List {
  readonly filter: object
  readonly list: Effect.Effect<ReadonlyArray<unknown>, Transaction.StoreError>
  readonly setting?: string
}

/** Table scans of the tables that hold something, once the server has told of what this connection did. */
const scansOf = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`SELECT pg_stat_force_next_flush()`
  const [row] = yield* sql<{ readonly scans: bigint }>`SELECT sum(seq_scan)::bigint AS scans FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND n_live_tup > 5000`
  return row!.scans
})

describe.skipIf(skipped !== "")(`Lists of records${skipped}`, () => {
  layer(postgresClient(url), { timeout: "60 seconds", excludeTestServices: true })("in PostgreSQL", (it) => {
    it.effect("read no table from end to end, whatever is asked", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const records = yield* RecordStore.RecordStore
        const audit = yield* AuditLog.AuditStore
        const quarantine = yield* QuarantineStore.QuarantineStore
        for (const statement of fill) yield* sql.unsafe(statement)
        const counted = <A, E, R>(effect: Effect.Effect<A, E, R>, setting = "random_page_cost = 1.1") =>
          Effect.gen(function* () {
            const before = yield* scansOf
            const found = yield* sql.withTransaction(Effect.andThen(sql.unsafe(`SET LOCAL ${setting}`), effect))
            return { found, scans: (yield* scansOf) - before }
          })
        const page = { after: null, limit: 51 }
        const lists = [
          ...placed.flatMap((filter) => [
            { filter, list: records.trafficReports(filter, page), setting: couldRead },
            { filter, list: records.accessLog(filter, page) }
          ]),
          ...[{ authTokenId: idOf(4008) }].map((filter) => ({ filter, list: records.accessLog(filter, page) })),
          ...[
            {},
            between,
            { actorId: idOf(8) },
            { action: "action.8" },
            { targetType: "type.8" },
            { targetId: idOf(8) },
            { action: "action.8", targetType: "type.8", ...between }
          ].map((filter) => ({ filter, list: audit.list(filter, page) })),
          ...(
            [
              {},
              between,
              { nodeId: idOf(2008) },
              { reason: "negative" },
              { state: "open" },
              { state: "open", nodeId: idOf(2000) }
            ] as const
          ).map((filter) => ({ filter, list: quarantine.list(filter, page) })),
          ...[{}, between, { nodeId: idOf(2008) }].map((filter) => ({ filter, list: records.conflicts(filter, page) }))
        ]
        for (const { filter, list, setting } of lists as ReadonlyArray<List>) {
          const { found, scans } = yield* counted(list, setting)
          assert.isAbove(found.length, 0, JSON.stringify(filter))
          assert.strictEqual(scans, 0n, JSON.stringify(filter))
        }
        const { scans } = yield* counted(sql`SELECT id FROM access_log WHERE bytes_up = 4711`)
        assert.isAbove(Number(scans), 0, "control: a table that is read from end to end is noticed")
      })
    )
  })
})
