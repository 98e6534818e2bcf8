/** Days of raw reports: made ahead, dropped whole; and what is known of a batch after its key is gone. */
import { assert, describe, it } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import { UsageStore } from "@vpnmgr/core"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { database, pgliteClient, postgresClient, skipped } from "./Databases.ts"

const day = 24 * World.hour

const rowsIn = Effect.fnUntraced(function* (table: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM ${sql(table)}`
  return row!.count
})

const partitions = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly name: string }>`SELECT inhrelid::regclass::text AS name FROM pg_inherits
    WHERE inhparent = 'traffic_report'::regclass ORDER BY 1`
  return rows.map((row) => row.name)
})

const oidOf = Effect.fnUntraced(function* (table: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly oid: number }>`SELECT ${table}::regclass::oid AS oid`
  return row!.oid
})

const dayName = (at: number) => `traffic_report_${new Date(at).toISOString().slice(0, 10).replaceAll("-", "")}`

const scenario = Effect.gen(function* () {
  const usage = yield* UsageStore.UsageStore
  const node = yield* World.aNode()
  const inbound = yield* World.anInbound(node.id)
  const subscription = yield* World.aSubscription({ inboundIds: [inbound.id] })
  const spool = World.anId()
  const sent = (seq: number, receivedAt: number): World.Sent => ({
    node,
    spool,
    seq,
    to: World.noon,
    receivedAt,
    entries: [World.entry(subscription.credential, inbound.ref, 7n)]
  })
  const now = Date.now()

  const ahead = yield* partitions
  assert.includeMembers([...ahead], [dayName(now), dayName(now + day), "traffic_report_default"])

  yield* World.report(sent(1, World.noon))
  assert.strictEqual(yield* rowsIn("traffic_report_default"), 1, "a row whose day has no partition is kept")
  yield* World.report(sent(2, now))
  assert.strictEqual(yield* rowsIn(dayName(now)), 1)

  yield* usage.retain(World.noon - day)
  assert.strictEqual(yield* rowsIn("traffic_report"), 2, "a day that is not over is kept whole")

  const afterMidnight = (Math.floor(now / day) + 1) * day + 1000
  assert.strictEqual((yield* World.report(sent(2, afterMidnight))).admission, "replay", "midnight changes nothing")

  const before = yield* oidOf(dayName(now))
  yield* usage.retain(afterMidnight)
  assert.strictEqual(yield* rowsIn("traffic_report"), 0)
  assert.notStrictEqual(yield* oidOf(dayName(now)), before, "the day was dropped whole, and made ahead anew")
  assert.strictEqual(yield* rowsIn("report_key"), 1, "the newest key stays")
  assert.strictEqual((yield* World.report(sent(1, afterMidnight))).admission, "rewound", "known without its key")
  assert.strictEqual((yield* World.report(sent(2, afterMidnight))).admission, "replay")
  assert.strictEqual((yield* World.report(sent(3, afterMidnight))).admission, "new")
  assert.strictEqual(yield* World.usedIn("subscription", subscription.id), 21_000n)
})

/** What a transaction under way may hold when days are dropped, before it wants one of them. */
const holds = {
  "whoever folds": "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.fold', 0))",
  "whoever reads": "LOCK TABLE ONLY traffic_report IN ACCESS SHARE MODE"
}

/** Someone holds this, days are about to be dropped, and then someone wants one of them. */
const waitedFor = Effect.fnUntraced(function* (hold: string) {
  const sql = yield* SqlClient.SqlClient
  const usage = yield* UsageStore.UsageStore
  const today = Math.floor(Date.now() / day) * day
  const [isHeld, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  const other = yield* Effect.forkChild(
    sql.withTransaction(
      Effect.gen(function* () {
        yield* sql.unsafe(hold)
        yield* Deferred.succeed(isHeld, undefined)
        yield* Deferred.await(goOn)
        return yield* rowsIn(dayName(today))
      })
    )
  )
  yield* Deferred.await(isHeld)
  const dropping = yield* Effect.forkChild(usage.retain(today + day))
  const isWaiting = sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM pg_locks l
    JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database() WHERE NOT l.granted`
  while ((yield* isWaiting)[0]!.count === 0) yield* Effect.sleep("20 millis")
  yield* Deferred.succeed(goOn, undefined)
  assert.strictEqual(yield* Fiber.join(other), 0)
  yield* Fiber.join(dropping)
})

describe("Retention", () => {
  for (const [who, hold] of Object.entries(holds)) {
    it.live.skipIf(skipped !== "")(`waits for ${who} before it keeps a day from them${skipped}`, () =>
      Effect.flatMap(Effect.promise(database), (url) => Effect.provide(waitedFor(hold), postgresClient(url)))
    )
  }

  it.live("in PGlite", () => scenario.pipe(Effect.provide(pgliteClient)))
  it.live.skipIf(skipped !== "")(`in PostgreSQL${skipped}`, () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      yield* scenario.pipe(Effect.provide(postgresClient(url)))
    })
  )
})
