/** That records written before they could be asked for are found afterwards, with an owner, a day and an id in order. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as PgliteStores from "../src/PgliteStores.ts"
import { statements as people } from "../src/migrations/0001_people.ts"
import { statements as inventory } from "../src/migrations/0002_inventory.ts"
import { statements as subscriptions } from "../src/migrations/0003_subscriptions.ts"
import { statements as usage } from "../src/migrations/0004_usage.ts"
import { statements as records } from "../src/migrations/0009_records.ts"

const id = (n: number) => `'0199f3f0-5a7e-7cc3-8a11-00000000000${n}'::uuid`

const before = [
  `CREATE TABLE traffic_report_20260115 PARTITION OF traffic_report FOR VALUES FROM ('2026-01-15') TO ('2026-01-16')`,
  ...[15, 16].map(
    (day) => `INSERT INTO traffic_report (received_at, node_id, subscription_id, inbound_id, from_at, to_at, shift,
        bytes_up, bytes_down, weighted)
      SELECT '2026-01-${day} 12:00Z', ${id(1)}, ${id(2)}, ${id(3)}, '2026-01-${day} 11:00Z',
        '2026-01-${day} 11:00Z'::timestamptz + n * interval '1 second', 0, n, n, n FROM generate_series(1, 50) n`
  ),
  `INSERT INTO subscription_owner VALUES (${id(2)}, '-infinity', ${id(4)}), (${id(2)}, '2026-01-15 10:30Z', ${id(5)})`,
  `INSERT INTO access_log SELECT ${id(2)}, ${id(3)}, '2026-01-15'::timestamptz + n * interval '1 hour',
      '2026-01-15'::timestamptz + n * interval '1 hour' + interval '10 minutes', gen_random_uuid(), ${id(1)}, ${id(6)}, n, n
    FROM generate_series(8, 12) n`,
  `INSERT INTO audit_log SELECT gen_random_uuid(), '2026-01-15 23:30Z'::timestamptz + n * interval '1 hour', ${id(1)},
      'a', 't', ${id(2)}, '{}' FROM generate_series(0, 1) n`
]

describe("The records' migration", () => {
  it.live("brings along what was written before", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql.unsafe(`CREATE SCHEMA vpnmgr`)
      yield* sql.withTransaction(
        Effect.forEach(
          [...people, ...inventory, ...subscriptions, ...usage, ...before, ...records],
          (statement) => sql.unsafe(statement),
          { discard: true }
        )
      )
      const [reports] = yield* sql`SELECT count(DISTINCT id)::int AS ids,
          bool_and(substr(id::text, 15, 1) = '7') AS is_v7,
          array_agg(to_at ORDER BY id) = array_agg(to_at ORDER BY to_at) AS in_order FROM traffic_report`
      assert.deepStrictEqual({ ...reports }, { ids: 100, is_v7: true, in_order: true })
      const uses = yield* sql<{
        readonly owner: string
      }>`SELECT right(owner_id::text, 1) AS owner FROM access_log ORDER BY id`
      assert.deepStrictEqual(
        uses.map(({ owner }) => owner),
        ["4", "4", "4", "5", "5"]
      )
      const days = yield* sql<{ readonly day: string }>`SELECT day::text FROM audit_log ORDER BY timestamp`
      assert.deepStrictEqual(
        days.map(({ day }) => day),
        ["2026-01-15", "2026-01-16"]
      )
      assert.include(String((yield* Effect.flip(sql`DELETE FROM audit_log`)).reason.cause), "append-only")
    }).pipe(Effect.provide(PgliteStores.layerClient({ memory: true })))
  )
})
