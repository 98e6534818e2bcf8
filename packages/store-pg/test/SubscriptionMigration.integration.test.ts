/** That the tables need no superuser, and that what was there before lists could be searched is found afterwards. */
import { assert, describe, it } from "@effect/vitest"
import { SubscriptionStore } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { PgStores } from "../src/index.ts"
import { statements as people } from "../src/migrations/0001_people.ts"
import { statements as inventory } from "../src/migrations/0002_inventory.ts"
import { statements as subscriptions } from "../src/migrations/0003_subscriptions.ts"
import { statements as usage } from "../src/migrations/0004_usage.ts"
import { statements as nodeStates } from "../src/migrations/0005_node_states.ts"
import * as Stores from "../src/Stores.ts"
import { database, skipped, vault } from "./Databases.ts"

const idOf = (n: number) => `0199f3f0-5a7e-7cc3-8a11-00000000000${n}`

const releases = { people, inventory, subscriptions, usage, nodeStates }

const row = (n: number, title: string | null, deletedAt: string | null) =>
  `INSERT INTO subscription (id, link_hash, title, description, is_suspended, anchor, credential, created_at, updated_at,
    deleted_at)
  VALUES ('${idOf(n)}', sha256('${n}'), ${title === null ? "NULL" : `'${title}'`}, 'Note', false, now(), ${n}, now(), now(),
    ${deletedAt === null ? "NULL" : `'${deletedAt}'`})`

const before = [row(1, "Büro", null), row(2, null, null), row(3, "alpha", null), row(4, "Gone", "2026-01-01")]

/** The store as the migrations up to 5 made it, with some subscriptions. */
const old = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql.unsafe("CREATE SCHEMA vpnmgr")
    yield* sql.unsafe(`CREATE TABLE migration (migration_id integer PRIMARY KEY,
      created_at timestamptz NOT NULL DEFAULT now(), name text NOT NULL)`)
    for (const [n, [name, statements]] of Object.entries(releases).entries()) {
      for (const statement of statements) yield* sql.unsafe(statement)
      yield* sql`INSERT INTO migration (migration_id, name) VALUES (${n + 1}, ${name})`
    }
    for (const statement of before) yield* sql.unsafe(statement)
  })
)

/** The URL of a database that belongs to a role without rights beyond it. */
const owned = Effect.gen(function* () {
  const url = yield* Effect.promise(database)
  const at = new URL(url)
  const name = at.pathname.slice(1)
  yield* Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql.unsafe(`CREATE ROLE plain LOGIN PASSWORD 'plain' NOSUPERUSER NOCREATEDB NOCREATEROLE`)
    yield* sql.unsafe(`ALTER DATABASE "${name}" OWNER TO plain`)
  }).pipe(Effect.provide(PgStores.layerClient({ url: Redacted.make(url) })))
  at.username = "plain"
  at.password = "plain"
  return Redacted.make(at.toString())
})

const upgraded = (url: Redacted.Redacted) =>
  Stores.layer("vpnmgr").pipe(
    Layer.provideMerge(old),
    Layer.provideMerge(PgStores.layerClient({ url })),
    Layer.provide(vault())
  )

describe.skipIf(skipped !== "")(`An upgrade to searchable lists${skipped}`, () => {
  it.live("is made by whoever owns the database, and finds what was written before", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [role] = yield* sql<{ readonly is: boolean }>`SELECT rolsuper AS is FROM pg_roles
        WHERE rolname = current_user`
      assert.isFalse(role!.is)
      const store = yield* SubscriptionStore.SubscriptionStore
      const titles = (search?: string) =>
        Effect.map(
          store.list(search === undefined ? {} : { search }, { sort: "title", after: null, limit: 10 }),
          (found) => found.map(({ title }) => title)
        )
      assert.deepStrictEqual(yield* titles(), [null, "alpha", "Büro"])
      assert.deepStrictEqual(yield* titles("note"), [null, "alpha", "Büro"])
      assert.deepStrictEqual(yield* titles("ALP"), ["alpha"])
      assert.deepStrictEqual(yield* titles("gone"), [])
      const erased = yield* sql<{ readonly text: string }>`SELECT title_key || search_key AS text FROM subscription
        WHERE deleted_at IS NOT NULL`
      assert.deepStrictEqual(
        erased.map(({ text }) => text),
        [""]
      )
    }).pipe(Effect.provide(Layer.unwrap(Effect.map(owned, upgraded))))
  )
})
