/** A batch of any size is a fixed, small number of statements, and counting up stays within a page. */
import { assert, describe, it } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import { CredentialStore } from "@vpnmgr/core"
import { Effect, Layer, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { database, postgresClient, skipped } from "./Databases.ts"

/** Stores subscriptions by the thousand, as an import would, and answers their credentials. */
const crowd = Effect.fnUntraced(function* (count: number, inboundId: string, ownerId: string) {
  const sql = yield* SqlClient.SqlClient
  const credentials = yield* CredentialStore.CredentialStore
  const refs = yield* credentials.insert(Array.from({ length: count }, World.aSecret), true)
  yield* sql`WITH made AS (
      SELECT gen_random_uuid() AS id, ref FROM unnest(${refs}::int[]) AS new (ref)),
    used AS (UPDATE credential c SET subscription_id = made.id FROM made WHERE c.ref = made.ref),
    owned AS (INSERT INTO subscription_owner SELECT id, '-infinity', ${ownerId}::uuid FROM made),
    linked AS (INSERT INTO subscription_inbound SELECT id, ${inboundId}::uuid, '2026-01-01' FROM made)
    INSERT INTO bucket (id, kind, anchor, window_start, window_end)
    SELECT id, 'subscription', '2026-01-01', '2026-01-01', '2026-02-01' FROM made`
  yield* sql`ANALYZE`
  return refs
})

/** How many buckets were updated, and how many of them in place (HOT), once the server has told of this many. */
const updatesOf = Effect.fnUntraced(function* (atLeast: number) {
  const sql = yield* SqlClient.SqlClient
  for (;;) {
    const [row] = yield* sql<{ readonly all: number; readonly hot: number }>`SELECT n_tup_upd::int AS "all",
      n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relname = 'bucket' AND schemaname = current_schema()`
    if (row!.all >= atLeast) return row!
    yield* Effect.sleep(200)
  }
}, Effect.timeout("45 seconds"))

/** Counts what the client executes. */
const counting = () => {
  const counted = { statements: 0 }
  const tracer = Tracer.make({
    span: (options) => {
      if (options.kind === "client") counted.statements++
      return new Tracer.NativeSpan(options)
    }
  })
  return { counted, layer: Layer.succeed(Tracer.Tracer, tracer) }
}

describe.skipIf(skipped !== "")(`Throughput${skipped}`, () => {
  it.live(
    "takes 10,000 entries in as many statements as ten, and updates the counters in place",
    () =>
      Effect.gen(function* () {
        const node = yield* World.aNode()
        const inbound = yield* World.anInbound(node.id)
        const ownerId = yield* World.aUser()
        const refs = yield* crowd(10_000, inbound.id, ownerId)
        const spool = World.anId()

        const send = Effect.fnUntraced(function* (seq: number, size: number) {
          const { counted, layer } = counting()
          const started = performance.now()
          const entries = refs.slice(0, size).map((ref) => World.entry(ref, inbound.ref, 1000n, 2000n))
          const sent = { node, spool, seq, lowest: seq, to: World.noon, from: World.noon - 10_000, entries }
          const { admission } = yield* World.report(sent).pipe(Effect.provide(layer))
          return { admission, statements: counted.statements, millis: performance.now() - started }
        })

        const ten = yield* send(1, 10)
        const first = yield* send(2, 10_000)
        const second = yield* send(3, 10_000)
        const third = yield* send(4, 10_000)
        const replay = yield* send(4, 10_000)
        assert.strictEqual(first.statements, ten.statements)
        assert.isAbove(ten.statements, 5)
        assert.isAtMost(first.statements, 25)
        assert.strictEqual(replay.admission, "replay")
        assert.isAtMost(replay.statements, 2)
        assert.isBelow(replay.millis, 0.1 * third.millis)

        const updates = yield* updatesOf(30_010)
        let scattered = 0
        for (let seq = 5; seq < 25; seq++) {
          const some = refs.filter((ref) => (ref * 7 + seq) % 97 === 0)
          scattered += some.length
          const entries = some.map((ref) => World.entry(ref, inbound.ref, 1n))
          yield* World.report({ node, spool, seq, lowest: seq, to: World.noon, from: World.noon - 10_000, entries })
        }
        const later = yield* updatesOf(30_010 + scattered)
        const share = (later.hot - updates.hot) / (later.all - updates.all)
        yield* Effect.logInfo(
          `10,000 entries: ${[first, second, third].map((each) => Math.round(each.millis)).join(", ")} ms, ` +
            `${first.statements} statements; a replay: ${Math.round(replay.millis)} ms, ${replay.statements} statements; ` +
            `${scattered} scattered counters, ${Math.round(share * 100)} % updated in place`
        )
        assert.isAbove(share, 0.9)
      }).pipe((effect) =>
        Effect.flatMap(Effect.promise(database), (url) => Effect.provide(effect, postgresClient(url)))
      ),
    240_000
  )
})
