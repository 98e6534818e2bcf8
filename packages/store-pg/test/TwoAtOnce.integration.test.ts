/**
 * What one replica does for all, done by four at once: as when a holder that was frozen goes on beside its follower. Each
 * has a pool of its own, as processes have. That two seal a day once is in AuditTrail.integration.test.ts.
 */
import { assert, describe, it } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import {
  AuditLog,
  AuditTrail,
  BucketStore,
  ControlPlane,
  IdempotencyStore,
  Ledger,
  NodeStateStore,
  RecordStore,
  Spares,
  UsageStore,
  UserStore
} from "@vpnmgr/core"
import { type Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { database, postgresClient, skipped } from "./Databases.ts"

const day = 24 * World.hour
const page = { after: null, limit: 100 }

const replica = (url: string) =>
  Layer.fresh(ControlPlane.layer).pipe(Layer.provideMerge(Layer.fresh(postgresClient(url))))

const open = Effect.gen(function* () {
  const url = yield* Effect.promise(database)
  const first = yield* Layer.build(replica(url))
  return [first, ...(yield* Effect.replicateEffect(Layer.build(replica(url)), 3))]
})

type Services = Effect.Success<typeof open>[number] extends Context.Context<infer S> ? S : never

/** Runs a job on all replicas at once; answers what each one did. */
const atOnce = <A, E>(replicas: Effect.Success<typeof open>, job: Effect.Effect<A, E, Services>) =>
  Effect.forEach(replicas, (replica) => Effect.provideContext(job, replica), { concurrency: "unbounded" })

const sum = (counts: ReadonlyArray<number>) => counts.reduce((total, count) => total + count, 0)

/** A subscription with a bucket that is exhausted in a window long over, and one report of it. */
const exhausted = Effect.gen(function* () {
  const node = yield* World.aNode()
  const inbound = yield* World.anInbound(node.id)
  const ownerId = yield* World.aUser()
  const bucket = { maxTraffic: 1n, exhaustedUntil: World.january.end }
  const subscription = yield* World.aSubscription({ ownerId, inboundIds: [inbound.id] }, bucket)
  yield* World.report({
    node,
    spool: World.anId(),
    seq: 1,
    to: World.noon,
    entries: [World.entry(subscription.credential, inbound.ref, 7n)]
  })
  return { node, subscription }
})

const rows = Effect.fnUntraced(function* (table: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM ${sql(table)}`
  return row!.count
})

describe.skipIf(skipped !== "")(`Two at once${skipped}`, () => {
  it.live("turn a window once, and tell its nodes once", () =>
    Effect.gen(function* () {
      const replicas = yield* open
      const on = Effect.provideContext(replicas[0]!)
      const made = yield* Effect.forEach([1, 2, 3], () => on(exhausted))
      yield* on(Effect.flatMap(NodeStateStore.NodeStateStore, ({ assign }) => assign))
      yield* atOnce(replicas, Ledger.turnDue)
      assert.strictEqual(yield* on(rows("node_dirty")), made.length, "one mark for each bucket that was exhausted")
      const buckets = yield* on(
        Effect.flatMap(BucketStore.BucketStore, ({ read }) =>
          read(made.map(({ subscription }) => ({ kind: "subscription", id: subscription.id })))
        )
      )
      for (const { exhaustedUntil, used, window } of buckets) {
        assert.isTrue(window.start <= Date.now() && Date.now() < window.end)
        assert.deepStrictEqual([used, exhaustedUntil], [0n, null])
      }
      const due = Effect.flatMap(BucketStore.BucketStore, (store) => store.due(Date.now(), 10))
      assert.deepStrictEqual(yield* on(due), [])
    }).pipe(Effect.scoped)
  )

  it.live("allot one revision for one change", () =>
    Effect.gen(function* () {
      const replicas = yield* open
      const on = Effect.provideContext(replicas[0]!)
      const made = yield* Effect.forEach([1, 2, 3], () => on(exhausted))
      const mark = Effect.flatMap(NodeStateStore.NodeStateStore, (store) =>
        store.markSubscriptions(made.map(({ subscription }) => subscription.id))
      )
      const assign = Effect.flatMap(NodeStateStore.NodeStateStore, (store) => store.assign)
      yield* on(Effect.andThen(mark, assign))
      for (const revision of [2, 3, 4]) {
        yield* on(mark)
        const allotted = (yield* atOnce(replicas, assign)).flat()
        assert.strictEqual(allotted.length, made.length)
        assert.deepStrictEqual(new Set(allotted.map(({ nodeId }) => nodeId)), new Set(made.map(({ node }) => node.id)))
        assert.isTrue(allotted.every((each) => each.revision === revision))
      }
    }).pipe(Effect.scoped)
  )

  it.live("fill the pool of spares once", () =>
    Effect.gen(function* () {
      const replicas = yield* open
      const on = Effect.provideContext(replicas[0]!)
      const added = yield* atOnce(
        replicas,
        Effect.flatMap(Spares.Spares, ({ refillDue }) => refillDue)
      )
      assert.deepStrictEqual(
        [...added].sort((a, b) => a - b),
        [0, 0, 0, 64]
      )
      assert.strictEqual((yield* on(Effect.flatMap(Spares.Spares, ({ pool }) => pool))).spares, 64)
      const refills = yield* on(
        Effect.flatMap(AuditLog.AuditStore, ({ list }) => list({ action: "spares.refill" }, page))
      )
      assert.strictEqual(refills.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("drop what is old once, and count it once", () =>
    Effect.gen(function* () {
      const replicas = yield* open
      const on = Effect.provideContext(replicas[0]!)
      yield* on(exhausted)
      const old = World.noon
      yield* on(
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const userId = yield* World.aUser()
          yield* sql`INSERT INTO session (id, user_id, created_at, expires_at)
            SELECT gen_random_uuid(), ${userId}::uuid, now(), now() - interval '1 day' FROM generate_series(1, 300)`
          yield* sql`INSERT INTO idempotency_key (actor_id, key, answer, answered_at)
            SELECT gen_random_uuid(), 'key', '', now() - interval '9 days' FROM generate_series(1, 300)`
          yield* sql`INSERT INTO audit_log (id, timestamp, actor_id, action, target_type, target_id, meta)
            SELECT gen_random_uuid(), ${new Date(old)}, gen_random_uuid(), 'test', 'test', gen_random_uuid(), '{}'
            FROM generate_series(1, 300)`
          yield* (yield* AuditTrail.AuditTrail).seal
        })
      )
      const now = Date.now()
      const sessions = Effect.flatMap(UserStore.UserStore, ({ removeExpired }) => removeExpired(now, 1000))
      const answers = Effect.flatMap(IdempotencyStore.IdempotencyStore, ({ forget }) => forget(now - day, 1000))
      const days = Effect.flatMap(AuditTrail.AuditTrail, ({ retain }) => retain(now))
      assert.strictEqual(sum(yield* atOnce(replicas, sessions)), 300)
      assert.strictEqual(sum(yield* atOnce(replicas, answers)), 300)
      assert.strictEqual(sum(yield* atOnce(replicas, days)), 1)
      const [detached, ...others] = yield* on(
        Effect.flatMap(AuditLog.AuditStore, ({ list }) => list({ action: "audit.detach" }, page))
      )
      assert.deepInclude(detached?.meta, { days: 1, records: 300 })
      assert.deepStrictEqual(others, [])
      yield* atOnce(
        replicas,
        Effect.flatMap(UsageStore.UsageStore, ({ retain }) => retain(now + day))
      )
      yield* atOnce(
        replicas,
        Effect.flatMap(RecordStore.RecordStore, ({ retainAccessLog }) => retainAccessLog(now - day))
      )
      assert.deepStrictEqual(yield* on(Effect.all([rows("access_log"), rows("traffic_report")])), [0, 0])
    }).pipe(Effect.scoped)
  )
})
