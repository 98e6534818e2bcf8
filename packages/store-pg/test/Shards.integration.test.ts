/** Every unique key of a hot table contains the column its rows are spread by, as the migrated schema has them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { readFile } from "node:fs/promises"
import { pgliteClient } from "./Databases.ts"
import * as Shards from "./Shards.ts"

const guide = readFile(new URL("../../../docs/guide/scale.md", import.meta.url), "utf8")

/** Tables without the partitions of others. */
const tables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly name: string }>`SELECT relname AS name FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1`
  return rows.map(({ name }) => name)
})

/** Unique indexes of hot tables and their partitions, primary keys among them, that lack the column. */
const lacking = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [of, columns] = [Shards.hot.map(({ table }) => table), Shards.hot.map(({ column }) => column)]
  const rows = yield* sql<{ readonly name: string }>`
    SELECT c.relname AS name FROM unnest(${of}::text[], ${columns}::text[]) AS shard (of, spread_by)
    JOIN pg_class t ON t.relnamespace = current_schema()::regnamespace AND (t.relname = shard.of
      OR t.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = shard.of::regclass))
    JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = shard.spread_by
      AND a.attnotnull AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]))
    ORDER BY 1`
  return rows.map(({ name }) => name)
})

const uniqueKeys = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const names = Shards.hot.map(({ table }) => table)
  const [row] = yield* sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM pg_index
    WHERE indisunique AND indrelid IN (SELECT name::regclass FROM unnest(${names}::text[]) AS hot (name))`
  return row!.count
})

describe("Shards", () => {
  it.live("have a place for every table there is, and for no other", () =>
    Effect.gen(function* () {
      const placed = [...Shards.hot.map(({ table }) => table), ...Shards.whole].sort()
      assert.deepStrictEqual(yield* tables, placed)
    }).pipe(Effect.provide(pgliteClient))
  )

  it.live("are named by every unique key of a hot table", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* lacking, [])
      assert.isAbove(yield* uniqueKeys, 10)
    }).pipe(Effect.provide(pgliteClient))
  )

  it.live("would be missed in a key that lacks the column, has it as payload, or is of a partition alone", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE UNIQUE INDEX a_key_without ON usage_piece (inbound_id, at)`
      yield* sql`CREATE UNIQUE INDEX b_key_with_payload ON spool (spool) INCLUDE (node_id)`
      yield* sql`CREATE UNIQUE INDEX c_key_of_partition ON traffic_report_default (id)`
      yield* sql`CREATE UNIQUE INDEX d_key_with ON usage_piece (inbound_id, at, subscription_id)`
      assert.deepStrictEqual(yield* lacking, ["a_key_without", "b_key_with_payload", "c_key_of_partition"])
    }).pipe(Effect.provide(pgliteClient))
  )

  it("are what the guide says", async () => {
    assert.include(await guide, Shards.asTable())
  })
})
