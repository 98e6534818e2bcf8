/** That reports written before batches had rows of their own are found and counted afterwards as before. */
import { assert, describe, it } from "@effect/vitest"
import { RecordStore } from "@vpnmgr/core"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { statements as people } from "../src/migrations/0001_people.ts"
import { statements as inventory } from "../src/migrations/0002_inventory.ts"
import { statements as subscriptions } from "../src/migrations/0003_subscriptions.ts"
import { statements as usage } from "../src/migrations/0004_usage.ts"
import { statements as records } from "../src/migrations/0009_records.ts"
import { statements as batches } from "../src/migrations/0018_report_batches.ts"
import * as PgliteStores from "../src/PgliteStores.ts"
import * as PgRecordStore from "../src/PgRecordStore.ts"

const uuid = (n: number) => `0199f3f0-5a7e-7cc3-8a11-00000000000${n}`
const id = (n: number) => `'${uuid(n)}'::uuid`

const before = [
  `CREATE TABLE traffic_report_20260115 PARTITION OF traffic_report FOR VALUES FROM ('2026-01-15') TO ('2026-01-16')`,
  `INSERT INTO inbound (id, ref, node_id, host, port, listen, protocol, network, tls, is_active, traffic_multiplier,
      settings, created_at, updated_at)
    SELECT i, r, ${id(1)}, 'h', 1000 + r, '::', 'vless', 'tcp', false, true, 1000, '', '2026-01-01', '2026-01-01'
    FROM (VALUES (${id(3)}, 7), (${id(4)}, 5)) v (i, r)`,
  `INSERT INTO subscription (id, is_suspended, anchor, credential, created_at, updated_at)
    SELECT s, false, '2026-01-01', c, '2026-01-01', '2026-01-01' FROM (VALUES (${id(2)}, 11), (${id(5)}, 12)) v (s, c)`,
  `INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at, unlinked_at)
    VALUES (${id(2)}, ${id(3)}, '2026-01-01', NULL), (${id(2)}, ${id(4)}, '2026-01-01', '2026-01-02')`,
  `INSERT INTO subscription_owner VALUES (${id(2)}, '-infinity', ${id(6)}), (${id(2)}, '2026-01-10', ${id(7)}),
    (${id(5)}, '-infinity', NULL)`,
  `INSERT INTO bucket (id, kind, anchor, window_start, window_end, used, bytes_up, bytes_down)
    SELECT v.*, '2026-01-01', '2026-01-01', '2026-02-01', 5000, 2, 3
    FROM (VALUES (${id(2)}, 'subscription'), (${id(5)}, 'subscription'), (${id(7)}, 'owner')) v (id, kind)`,
  ...[15, 16].map(
    (day) => `INSERT INTO traffic_report (received_at, node_id, subscription_id, inbound_id, from_at, to_at, shift,
        bytes_up, bytes_down, weighted)
      SELECT '2026-01-${day} 12:00Z'::timestamptz + b * interval '1 second', ${id(1)}, s, ${id(3)},
        '2026-01-${day} 11:00Z', '2026-01-${day} 11:00Z'::timestamptz + b * interval '1 second', b, n, n, n
      FROM generate_series(1, 5) b, generate_series(1, 10) n, (VALUES (${id(2)}), (${id(5)})) v (s)`
  ),
  `INSERT INTO usage_piece SELECT subscription_id, date_trunc('hour', to_at), inbound_id, sum(bytes_up), sum(bytes_down),
      sum(weighted) FROM traffic_report GROUP BY 1, 2, 3`
]

/** Sums and ids of raw rows, and the sums of buckets and pieces: none of them may change. */
const kept = `SELECT (SELECT string_agg(concat_ws(' ', id, subscription_id, node_id, from_at, to_at, received_at, bytes_up,
      bytes_down, weighted, owner_id), ',' ORDER BY id) FROM traffic_report)
  || (SELECT string_agg(concat_ws(' ', id, kind, used, bytes_up, bytes_down, window_end, ref), ',' ORDER BY id) FROM bucket)
  || (SELECT string_agg(p::text, ',' ORDER BY p::text) FROM usage_piece p) AS text`

describe("The reports' migration", () => {
  it.live("brings along every row and every sum, and what reports need to find", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const run = (statements: ReadonlyArray<string>) =>
        sql.withTransaction(Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }))
      yield* sql.unsafe(`CREATE SCHEMA vpnmgr`)
      yield* run([...people, ...inventory, ...subscriptions, ...usage, ...before, ...records])
      const [was] = yield* sql.unsafe<{ readonly text: string }>(kept)
      const shifts = yield* sql`SELECT sum(shift)::int AS sum FROM traffic_report`
      yield* run(batches)
      const [is] = yield* sql.unsafe<{ readonly text: string }>(kept)
      assert.isAbove(was!.text.length, 10_000)
      assert.strictEqual(is!.text, was!.text)
      const [found] =
        yield* sql`SELECT count(*)::int AS batches, sum(row_count)::int AS rows, bool_or(is_pending) AS pending,
          sum(shift * row_count)::int AS shift FROM report_batch`
      assert.deepStrictEqual(
        { ...found },
        { batches: 10, rows: 200, pending: false, shift: (shifts[0] as { readonly sum: number }).sum }
      )
      const places = yield* sql`SELECT right(id::text, 1) AS id, credential, right(owner_id::text, 1) AS owner,
          owner_since = '2026-01-10' AS since, array_to_string(inbounds, ',') AS inbounds FROM bucket ORDER BY id`
      assert.deepStrictEqual(
        places.map((row) => Object.values(row)),
        [
          ["2", 11, "7", true, "5,7"],
          ["5", 12, null, null, ""],
          ["7", null, null, null, null]
        ]
      )

      const store = yield* RecordStore.RecordStore
      const walked: Array<string> = []
      for (let after: string | null = null; ;) {
        const page: ReadonlyArray<RecordStore.TrafficRecord> = yield* store.trafficReports(
          { subscriptionId: uuid(2) },
          { after, limit: 7 }
        )
        walked.push(...page.map((row) => row.id))
        if (page.length < 7) break
        after = page.at(-1)!.id
      }
      const rows = yield* sql<{ readonly id: string }>`SELECT id FROM traffic_report
        WHERE subscription_id = ${uuid(2)}::uuid ORDER BY id DESC`
      assert.deepStrictEqual(
        walked,
        rows.map((row) => row.id)
      )
      const byOwner = yield* store.trafficReports({ nodeId: uuid(1), ownerId: uuid(7) }, { after: null, limit: 500 })
      assert.deepStrictEqual(byOwner, [], "old rows of this test have no owner")
      assert.strictEqual((yield* store.trafficReports({ nodeId: uuid(1) }, { after: null, limit: 500 })).length, 200)
    }).pipe(Effect.provide(PgRecordStore.layer), Effect.provide(PgliteStores.layerClient({ memory: true })))
  )
})
