/** That people who signed in before an upgrade are there after it. */
import { assert, describe, it } from "@effect/vitest"
import { UserStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { statements as people } from "../src/migrations/0001_people.ts"
import { statements as inventory } from "../src/migrations/0002_inventory.ts"
import { statements as subscriptions } from "../src/migrations/0003_subscriptions.ts"
import { statements as usage } from "../src/migrations/0004_usage.ts"
import { statements as nodeStates } from "../src/migrations/0005_node_states.ts"
import { PgliteStores } from "../src/index.ts"
import * as Stores from "../src/Stores.ts"
import { vault } from "./Databases.ts"

const releases = { people, inventory, subscriptions, usage, nodeStates }

const user = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c40"
const group = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c41"
const session = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c42"

/** The store as the migrations up to 5 made it, with a user in a group, signed in. */
const old = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql.unsafe("CREATE SCHEMA vpnmgr")
    yield* sql.unsafe(`CREATE TABLE migration (migration_id integer PRIMARY KEY,
      created_at timestamptz NOT NULL DEFAULT now(), name text NOT NULL)`)
    let id = 0
    for (const [name, statements] of Object.entries(releases)) {
      for (const statement of statements) yield* sql.unsafe(statement)
      yield* sql`INSERT INTO migration (migration_id, name) VALUES (${++id}, ${name})`
    }
    yield* sql`INSERT INTO user_account (id, username, role, password_hash, created_at, updated_at)
      VALUES (${user}, 'ada', 'superuser', '$kept', now(), now())`
    yield* sql`INSERT INTO user_group (id, name, created_at, updated_at) VALUES (${group}, 'Free', now(), now())`
    yield* sql`INSERT INTO membership VALUES (${user}, ${group})`
    yield* sql`INSERT INTO session VALUES (${session}, ${user}, now() + interval '1 hour', NULL)`
  })
)

const upgraded = Stores.layer("vpnmgr").pipe(
  Layer.provideMerge(old),
  Layer.provideMerge(PgliteStores.layerClient({ memory: true })),
  Layer.provide(vault())
)

describe("An upgrade", () => {
  it.live("keeps users, groups and who is signed in", () =>
    Effect.gen(function* () {
      const users = yield* UserStore.UserStore
      const secret = yield* users.userByName("Ada")
      assert.strictEqual(secret?.passwordHash, "$kept")
      assert.deepInclude(secret?.user, { id: user, role: "superuser", isDisabled: false, groupIds: [group] })
      const kept = yield* users.session(session)
      assert.deepInclude(kept, { userId: user, revokedAt: null })
      assert.isAtMost(kept!.createdAt, Date.now())
      assert.isAbove(kept!.expiresAt, Date.now())
      const found = yield* users.listGroups({ search: "free" }, { after: null, limit: 10 })
      assert.deepStrictEqual(
        found.map(({ id }) => id),
        [group]
      )
      assert.strictEqual(yield* users.countSuperusers(group), 1)
    }).pipe(Effect.provide(upgraded))
  )
})
