/** That every raw row is folded once: whoever folds, whatever is committed late, and when a fold fails half-way. */
import { assert, describe, it } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import { RecordStore, Transaction, UsageStore } from "@vpnmgr/core"
import { Deferred, Effect, Fiber, type Layer } from "effect"
import { SqlClient } from "effect/sql"
import * as Partitions from "../src/Partitions.ts"
import { database, pgliteClient, postgresClient, skipped } from "./Databases.ts"

const minute = 60_000

/** A node, an inbound, a subscription, and reports of one byte each. */
const scene = Effect.gen(function* () {
  const node = yield* World.aNode()
  const inbound = yield* World.anInbound(node.id)
  const subscription = yield* World.aSubscription({ inboundIds: [inbound.id] })
  const sent = (spool: string, seq: number, to = World.noon + seq * minute): World.Sent => ({
    node,
    spool,
    seq,
    from: to - minute,
    to,
    entries: [World.entry(subscription.credential, inbound.ref, 1n)]
  })
  return { sent, subscription }
})

const all = { after: null, limit: 100 }

/** What the pieces that are folded, the access log, and the answer to whoever asks say; each must be the bytes sent. */
const told = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const usage = yield* UsageStore.UsageStore
  const records = yield* RecordStore.RecordStore
  const [folded] = yield* sql<{ readonly up: string }>`SELECT coalesce(sum(bytes_up), 0)::text AS up FROM usage_piece
    WHERE subscription_id = ${id}::uuid`
  const answered = (yield* usage.pieces(id, 0, World.noon * 2)).reduce((sum, { up }) => sum + up, 0n)
  const spans = yield* records.accessLog({ subscriptionId: id }, all)
  return [BigInt(folded!.up), spans.reduce((sum, { bytesUp }) => sum + bytesUp, 0n), answered]
})

const onBoth = (name: string, scenario: Effect.Effect<void, unknown, Layer.Success<typeof pgliteClient>>) => {
  it.live(`${name} (PGlite)`, () => scenario.pipe(Effect.provide(pgliteClient)))
  it.live.skipIf(skipped !== "")(`${name} (PostgreSQL${skipped})`, () =>
    Effect.flatMap(Effect.promise(database), (url) => Effect.provide(scenario, postgresClient(url)))
  )
}
describe("Folding", () => {
  onBoth(
    "counts what waits, and folds it once",
    Effect.gen(function* () {
      const usage = yield* UsageStore.UsageStore
      const { sent, subscription } = yield* scene
      const spool = World.anId()
      for (const seq of [1, 2, 3]) yield* World.report(sent(spool, seq))
      assert.deepStrictEqual(yield* told(subscription.id), [0n, 0n, 3n])
      assert.strictEqual((yield* usage.waiting)?.rows, 3)
      assert.strictEqual(yield* usage.fold, 3)
      assert.deepStrictEqual(yield* told(subscription.id), [3n, 3n, 3n])
      assert.strictEqual(yield* usage.fold, 0)
      assert.isNull(yield* usage.waiting)
      yield* World.report(sent(spool, 4))
      yield* World.folded
      assert.deepStrictEqual(yield* told(subscription.id), [4n, 4n, 4n])
    })
  )

  onBoth(
    "leaves everything as it was when it fails half-way",
    Effect.gen(function* () {
      const usage = yield* UsageStore.UsageStore
      const transaction = yield* Transaction.Transaction
      const { sent, subscription } = yield* scene
      const spool = World.anId()
      for (const seq of [1, 2]) yield* World.report(sent(spool, seq))
      const failed = yield* Effect.flip(transaction.run(Effect.andThen(usage.fold, Effect.fail("half-way" as const))))
      assert.strictEqual(failed, "half-way")
      assert.deepStrictEqual(yield* told(subscription.id), [0n, 0n, 2n])
      yield* World.folded
      assert.deepStrictEqual(yield* told(subscription.id), [2n, 2n, 2n])
    })
  )

  onBoth(
    "opens another span after an hour and after five idle minutes, as if every report had been folded alone",
    Effect.gen(function* () {
      const records = yield* RecordStore.RecordStore
      const together = yield* scene
      const alone = yield* scene
      const moments = [...Array(70).keys(), 80, 81, 87, 150, 20, 84].map((at) => World.noon + at * minute)
      const spools = [World.anId(), World.anId()]
      for (const [index, to] of moments.entries()) {
        yield* World.report(alone.sent(spools[1]!, index + 1, to))
        yield* World.folded
      }
      for (const [index, to] of moments.entries()) yield* World.report(together.sent(spools[0]!, index + 1, to))
      yield* World.folded
      const spans = Effect.fnUntraced(function* (id: string) {
        const found = yield* records.accessLog({ subscriptionId: id }, all)
        return found.map(({ bytesUp, endedAt, timestamp }) => [timestamp, endedAt, bytesUp])
      })
      const expected = yield* spans(alone.subscription.id)
      assert.isAbove(expected.length, 3)
      assert.deepStrictEqual(yield* spans(together.subscription.id), expected)
    })
  )

  it.live.skipIf(skipped !== "")(`loses no batch that is committed after one with a higher number${skipped}`, () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const transaction = yield* Transaction.Transaction
      const usage = yield* UsageStore.UsageStore
      const early = yield* scene
      const late = yield* scene
      const [written, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const open = yield* Effect.forkChild(
        transaction.run(
          World.take(early.sent(World.anId(), 1)).pipe(
            Effect.tap(() => Deferred.succeed(written, undefined)),
            Effect.tap(() => Deferred.await(goOn))
          )
        )
      )
      yield* Deferred.await(written)
      yield* World.report(late.sent(World.anId(), 1))
      assert.strictEqual(yield* usage.fold, 1)
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(open)
      const batches = yield* sql<{
        readonly pending: boolean
      }>`SELECT is_pending AS pending FROM report_batch ORDER BY batch`
      assert.deepStrictEqual(
        batches.map(({ pending }) => pending),
        [true, false],
        "the one that waits has the lower number"
      )
      assert.deepStrictEqual(yield* told(early.subscription.id), [0n, 0n, 1n])
      yield* World.folded
      assert.deepStrictEqual(yield* told(early.subscription.id), [1n, 1n, 1n])
      assert.deepStrictEqual(yield* told(late.subscription.id), [1n, 1n, 1n])
    }).pipe((effect) => Effect.flatMap(Effect.promise(database), (url) => Effect.provide(effect, postgresClient(url))))
  )

  it.live.skipIf(skipped !== "")(`folds once, however many are at it while reports come${skipped}`, () =>
    Effect.gen(function* () {
      const usage = yield* UsageStore.UsageStore
      const { sent, subscription } = yield* scene
      const reports = Array.from({ length: 30 }, () => World.report(sent(World.anId(), 1)))
      const folds = Array.from({ length: 20 }, () => usage.fold)
      yield* Effect.all([...reports, ...folds], { concurrency: 8, discard: true })
      yield* World.folded
      assert.deepStrictEqual(yield* told(subscription.id), [30n, 30n, 30n])
    }).pipe((effect) => Effect.flatMap(Effect.promise(database), (url) => Effect.provide(effect, postgresClient(url))))
  )

  it.live.skipIf(skipped !== "")(`reads the rows once, though statistics say that none wait${skipped}`, () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const transaction = yield* Transaction.Transaction
      const usage = yield* UsageStore.UsageStore
      const { sent, subscription } = yield* scene
      const [before, after] = [World.anId(), World.anId()]
      const many = Array.from({ length: 60 }, (_, index) => index + 1)
      for (const seq of many) yield* World.report(sent(before, seq))
      yield* World.folded
      yield* sql`ANALYZE`
      for (const seq of many) yield* World.report(sent(after, seq))
      const scans = yield* transaction.run(
        Effect.andThen(
          usage.fold,
          sql<{ readonly scans: number }>`SELECT sum(seq_scan + coalesce(idx_scan, 0))::int AS scans
            FROM pg_stat_xact_user_tables WHERE relname LIKE 'traffic_report%'`
        )
      )
      assert.deepStrictEqual(yield* told(subscription.id), [120n, 120n, 120n])
      assert.isAbove(scans[0]!.scans, 0)
      assert.isBelow(scans[0]!.scans, many.length)
    }).pipe((effect) => Effect.flatMap(Effect.promise(database), (url) => Effect.provide(effect, postgresClient(url))))
  )

  it.live.skipIf(skipped !== "")(`finds rows that move to their day, whoever asks meanwhile${skipped}`, () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const usage = yield* UsageStore.UsageStore
      const { sent, subscription } = yield* scene
      yield* World.report(sent(World.anId(), 1))
      yield* sql`CREATE TABLE aside AS SELECT * FROM traffic_report`
      const [row] = yield* sql<{ readonly day: number }>`SELECT (extract(epoch FROM received_at) * 1000)::float8 AS day
        FROM aside`
      const name = `traffic_report_${new Date(row!.day).toISOString().slice(0, 10).replaceAll("-", "")}`
      yield* sql`DROP TABLE IF EXISTS ${sql(name)}`
      yield* sql`DELETE FROM traffic_report`
      yield* sql`INSERT INTO traffic_report SELECT * FROM aside`
      const partitions = Partitions.make(sql, { all: () => Effect.void })
      const [moved, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const moving = yield* Effect.forkChild(
        sql.withTransaction(
          partitions.makeAhead(row!.day).pipe(
            Effect.tap(() => Deferred.succeed(moved, undefined)),
            Effect.tap(() => Deferred.await(goOn))
          )
        )
      )
      yield* Deferred.await(moved)
      const reading = yield* Effect.forkChild(usage.pieces(subscription.id, 0, World.noon * 2))
      const folding = yield* Effect.forkChild(usage.fold)
      const isWaiting = sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM pg_locks
        WHERE NOT granted AND relation IN ('traffic_report'::regclass, 'traffic_report_default'::regclass)`
      while ((yield* isWaiting)[0]!.count < 2) yield* Effect.sleep("20 millis")
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(moving)
      assert.strictEqual(
        (yield* Fiber.join(reading)).reduce((sum, { up }) => sum + up, 0n),
        1n
      )
      assert.strictEqual(yield* Fiber.join(folding), 1)
      assert.deepStrictEqual(yield* told(subscription.id), [1n, 1n, 1n])
      assert.lengthOf(yield* sql`SELECT FROM ${sql(name)}`, 1)
    }).pipe((effect) => Effect.flatMap(Effect.promise(database), (url) => Effect.provide(effect, postgresClient(url))))
  )
})
