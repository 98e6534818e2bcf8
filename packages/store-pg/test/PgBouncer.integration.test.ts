/** What every store promises, through PgBouncer in transaction mode; and what start-up says while it lacks something. */
import { StoreSuites } from "@vpnmgr/conformance"
import { assert, describe, it } from "@effect/vitest"
import { NodeStateStore } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { afterAll, inject } from "vitest"
import { PgBouncer } from "../../../scripts/vitest-postgres.ts"
import { PgStores } from "../src/index.ts"
import { database, vault } from "./Databases.ts"

const serverUrl = inject("postgresUrl")
const lacks = serverUrl === null || PgBouncer.find() === null
if (lacks && process.env["CI"] === "true") throw new Error(PgBouncer.missing)

const direct = lacks ? "" : await database()
const pooler = lacks ? null : await PgBouncer.start(direct)
const url = pooler?.url ?? "postgres://nobody@localhost:1/none"
afterAll(() => pooler?.close())

const store = (options: Partial<PgStores.Options> = {}) =>
  PgStores.layer({ url: Redacted.make(url), maxConnections: 10, ...options }).pipe(Layer.provide(vault()))

const start = (options: Partial<PgStores.Options> = {}) => Effect.scoped(Effect.asVoid(Layer.build(store(options))))

/** Runs statements on a connection that PgBouncer has no part in. */
const run = (...statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    for (const statement of statements) yield* sql.unsafe(statement)
  }).pipe(Effect.provide(PgStores.layerClient({ url: Redacted.make(direct) })))

describe.skipIf(lacks)(`PgBouncer${lacks ? `: skipped, ${PgBouncer.missing}` : ""}`, () => {
  it.live("is refused in words that make it work, without a table made anywhere", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(start())
      const statements = error.detail.match(/ALTER ROLE [^;]+;/g) ?? []
      assert.deepStrictEqual(
        statements.map((text) => /SET (\w+)/.exec(text)?.[1]),
        ["search_path", "lock_timeout", "idle_in_transaction_session_timeout"]
      )
      yield* run(
        ...statements,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
      )
      yield* start()
    })
  )

  it.live("is not listened through, and says so until it has a way to PostgreSQL itself", () =>
    Effect.gen(function* () {
      const isListening = Effect.flatMap(NodeStateStore.NodeStateStore, (states) => Effect.sync(states.isListening))
      assert.isFalse(yield* Effect.delay(isListening, "6 seconds").pipe(Effect.provide(store())))
      assert.isTrue(
        yield* Effect.delay(isListening, "1 second").pipe(
          Effect.repeat({ until: (heard) => heard, times: 10 }),
          Effect.provide(store({ listenUrl: Redacted.make(direct) }))
        )
      )
    })
  )

  StoreSuites.suite("PgBouncer", store({ listenUrl: Redacted.make(direct) }), { sideBySide: true })
})
