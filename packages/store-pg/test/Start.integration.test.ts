/** What makes a store refuse to start, in words, and what it does when the database is a restored one. */
import { assert, describe, it } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import { SettingStore, SubscriptionStore } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { inject } from "vitest"
import { createDatabase } from "../../../scripts/vitest-postgres.ts"
import { PgStores } from "../src/index.ts"
import { database, postgres, postgresClient, skipped, vault } from "./Databases.ts"

const started = (url: string, key = 7) =>
  Effect.scoped(Layer.build(PgStores.layer({ url: Redacted.make(url) }).pipe(Layer.provide(vault(key))))).pipe(
    Effect.asVoid
  )

const generation = Effect.flatMap(SettingStore.SettingStore, (settings) => settings.generation)

describe.skipIf(skipped !== "")(`Start${skipped}`, () => {
  it.live("refuses another encryption key than the store was made with", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      yield* started(url, 7)
      const error = yield* Effect.flip(started(url, 8))
      assert.include(error.detail, "encryption key is not the one")
      yield* started(url, 7)
    })
  )

  it.live("says where PostgreSQL cannot be reached", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(started("postgres://nobody:secret@127.0.0.1:1/none"))
      assert.include(error.detail, "does not start")
      assert.notInclude(error.detail, "secret")
    })
  )

  it.live("refuses what a newer release has migrated", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`INSERT INTO migration (migration_id, name) VALUES (9999, 'later')`
      }).pipe(Effect.provide(postgresClient(url)))
      const error = yield* Effect.flip(started(url))
      assert.include(error.detail, "newer release")
    })
  )

  it.live("starts several at once on an empty database", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      yield* Effect.all([started(url), started(url), started(url)], { concurrency: 3 })
    })
  )

  it.live("keeps its generation over restarts, and takes another in a restored database", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      const first = yield* generation.pipe(Effect.provide(postgres(url)))
      assert.strictEqual(yield* generation.pipe(Effect.provide(postgres(url))), first)
      const copy = yield* Effect.promise(() => createDatabase(inject("postgresUrl")!, new URL(url).pathname.slice(1)))
      const restored = yield* generation.pipe(Effect.provide(postgres(copy)))
      assert.notStrictEqual(restored, first)
      assert.strictEqual(yield* generation.pipe(Effect.provide(postgres(copy))), restored)
    })
  )

  it.live("keeps two stores of one database apart", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      const made = yield* World.aSubscription().pipe(Effect.provide(postgres(url, "one")))
      const found = yield* Effect.flatMap(SubscriptionStore.SubscriptionStore, (store) => store.get(made.id)).pipe(
        Effect.provide(postgres(url, "two"))
      )
      assert.isNull(found)
    })
  )

  it.live("keeps no secret in the open", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      const dump = yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const node = yield* World.aNode()
        yield* World.anInbound(node.id)
        const { link } = yield* World.aSubscription({ title: "a title", link: "opensesame" })
        const tables = yield* sql<{ readonly name: string }>`SELECT relname AS name FROM pg_class
          WHERE relnamespace = 'vpnmgr'::regnamespace AND relkind = 'r'`
        const rows = yield* Effect.forEach(tables, ({ name }) => sql`SELECT t::text AS row FROM ${sql(name)} t`)
        return { text: JSON.stringify(rows), link }
      }).pipe(Effect.provide(postgresClient(url)))
      assert.include(dump.text, "a title")
      assert.notInclude(dump.text, "AAAAAAAAAAAAAAAAAAAAAA")
      assert.notInclude(dump.text, Buffer.from("AAAAAAAAAAAAAAAAAAAAAA==").toString("hex"))
      assert.notInclude(dump.text, dump.link)
    })
  )

  it.live("refuses every change of the audit log", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`INSERT INTO audit_log (id, timestamp, actor_id, action, target_type, target_id, meta)
          VALUES (gen_random_uuid(), now(), gen_random_uuid(), 'test', 'test', gen_random_uuid(), '{}')`
        for (const statement of ["UPDATE audit_log SET action = ''", "DELETE FROM audit_log", "TRUNCATE audit_log"]) {
          const error = yield* Effect.flip(sql.unsafe(statement))
          assert.include(String(error.reason.cause), "append-only")
        }
      }).pipe(Effect.provide(postgresClient(url)))
    })
  )
})
