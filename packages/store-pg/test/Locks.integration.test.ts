/** Who waits for whom in PostgreSQL: reports never for each other over an owner, changes always for reports. */
import { assert, layer } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import { BucketStore, InventoryStore, NodeStateStore, Transaction, UsageStore } from "@vpnmgr/core"
import { Deferred, Effect, Fiber, Option, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { describe } from "vitest"
import { database, postgresClient, skipped } from "./Databases.ts"

const url = await database()

/** Two nodes, and on each a subscription of one owner. */
const shared = Effect.gen(function* () {
  const ownerId = yield* World.aUser()
  const sides = yield* Effect.forEach([1, 2], () =>
    Effect.gen(function* () {
      const node = yield* World.aNode()
      const inbound = yield* World.anInbound(node.id)
      const subscription = yield* World.aSubscription({ ownerId, inboundIds: [inbound.id] })
      return { node, inbound, subscription }
    })
  )
  return { ownerId, first: sides[0]!, second: sides[1]! }
})

type Side = Effect.Success<typeof shared>["first"]

const sent = ({ node, inbound, subscription }: Side, bytes: bigint): World.Sent => ({
  node,
  spool: World.anId(),
  seq: 1,
  to: World.noon,
  entries: [World.entry(subscription.credential, inbound.ref, bytes)]
})

/** Holds a report's transaction open after everything was written, until told to go on. */
const held = Effect.fnUntraced(function* (side: Side, bytes: bigint) {
  const transaction = yield* Transaction.Transaction
  const written = yield* Deferred.make<void>()
  const goOn = yield* Deferred.make<void>()
  const fiber = yield* Effect.forkChild(
    transaction.run(
      World.take(sent(side, bytes)).pipe(
        Effect.tap(() => Deferred.succeed(written, undefined)),
        Effect.tap(() => Deferred.await(goOn))
      )
    )
  )
  yield* Deferred.await(written)
  return { fiber, goOn }
})

const waits = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(Fiber.await(fiber), 300), Option.isNone)

describe.skipIf(skipped !== "")(`Locks${skipped}`, () => {
  layer(postgresClient(url), { timeout: "60 seconds", excludeTestServices: true })("in PostgreSQL", (it) => {
    it.effect("lets reports of two nodes pass each other, though one owner has both", () =>
      Effect.gen(function* () {
        const { ownerId, first, second } = yield* shared
        const open = yield* held(first, 10n)
        yield* World.report(sent(second, 5n)).pipe(Effect.timeout("3 seconds"))
        yield* Deferred.succeed(open.goOn, undefined)
        yield* Fiber.join(open.fiber)
        assert.strictEqual(yield* World.usedIn("owner", ownerId), 15_000n)
      })
    )

    it.effect("makes whoever changes an owner's bucket or an inbound wait for the reports that add to it", () =>
      Effect.gen(function* () {
        const { ownerId, first } = yield* shared
        const buckets = yield* BucketStore.BucketStore
        const inventory = yield* InventoryStore.InventoryStore
        const transaction = yield* Transaction.Transaction
        const open = yield* held(first, 10n)
        const owner = yield* Effect.forkChild(transaction.run(buckets.lock([{ kind: "owner", id: ownerId }])))
        const inbound = yield* Effect.forkChild(transaction.run(inventory.lockInbound(first.inbound.id)))
        assert.isTrue(yield* waits(owner))
        assert.isTrue(yield* waits(inbound))
        yield* Deferred.succeed(open.goOn, undefined)
        const [locked] = yield* Fiber.join(owner)
        assert.strictEqual(locked!.used, 10_000n)
        yield* Fiber.join(inbound)
        yield* Fiber.join(open.fiber)
      })
    )

    it.effect("lets two nodes flip one owner at once", () =>
      Effect.gen(function* () {
        const { ownerId, first, second } = yield* shared
        const buckets = yield* BucketStore.BucketStore
        const transaction = yield* Transaction.Transaction
        const flipping = (side: Side) =>
          transaction.run(
            Effect.andThen(
              World.take(sent(side, 1n)),
              buckets.flip([{ kind: "owner", id: ownerId, exhaustedUntil: World.january.end }])
            )
          )
        yield* Effect.all([flipping(first), flipping(second)], { concurrency: 2 })
        const [bucket] = yield* buckets.read([{ kind: "owner", id: ownerId }])
        assert.strictEqual(bucket!.exhaustedUntil, World.january.end)
        assert.strictEqual(bucket!.used, 2000n)
      })
    )

    it.effect("tries a deadlock again until both have had their turn", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const transaction = yield* Transaction.Transaction
        const { first, second } = yield* shared
        const ids = [first.subscription.id, second.subscription.id]
        let attempts = 0
        const lockIn = (order: ReadonlyArray<string>) =>
          transaction.run(
            Effect.gen(function* () {
              const buckets = yield* BucketStore.BucketStore
              attempts++
              for (const id of order) {
                yield* buckets.lock([{ kind: "subscription", id }])
                yield* sql`SELECT pg_sleep(0.1)`.pipe(Effect.orDie)
              }
            })
          )
        yield* Effect.all([lockIn(ids), lockIn(ids.toReversed())], { concurrency: 2 })
        assert.isAbove(attempts, 2)
      })
    )

    it.effect("gives up in words when a transaction is in the way for good", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const transaction = yield* Transaction.Transaction
        const settings = yield* UsageStore.UsageStore
        let attempts = 0
        yield* sql`CREATE FUNCTION always_in_the_way() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = 'serialization_failure'; END $$`
        yield* sql`CREATE TRIGGER in_the_way BEFORE INSERT ON report_conflict EXECUTE FUNCTION always_in_the_way()`
        const { node } = (yield* shared).first
        const batch = { spool: World.anId(), seq: 1, from: 0, to: 1, entries: [] }
        const key = World.keyOf({ node, spool: batch.spool, seq: 1, to: 1, entries: [] })
        const error = yield* transaction
          .run(
            Effect.andThen(
              Effect.sync(() => attempts++),
              settings.setAside(key, batch, "conflict")
            )
          )
          .pipe(Effect.flip)
        yield* sql`DROP TRIGGER in_the_way ON report_conflict`
        assert.strictEqual(error.reason._tag, "TooContended")
        assert.strictEqual(attempts, 11)
      })
    )

    it.effect("says that the store is away when a connection is lost, and goes on with another", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const transaction = yield* Transaction.Transaction
        const error = yield* transaction
          .run(
            Effect.gen(function* () {
              yield* sql`SELECT pg_terminate_backend(pg_backend_pid())`.pipe(Effect.ignore)
              yield* World.aNode()
            })
          )
          .pipe(Effect.flip)
        assert.strictEqual(error.reason._tag, "StoreUnavailable")
        yield* World.aNode()
      })
    )

    it.effect("says that a change may stand when the connection is lost, or the disk is full, at its COMMIT", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const transaction = yield* Transaction.Transaction
        yield* sql`CREATE TABLE at_commit (how text)`
        yield* sql`CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF NEW.how = 'lost' THEN PERFORM pg_terminate_backend(pg_backend_pid());
          ELSE RAISE EXCEPTION 'at commit' USING ERRCODE = NEW.how; END IF;
          RETURN NULL; END $$`
        yield* sql`CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON at_commit DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION fail_at_commit()`
        const tried = (how: string, statement: Effect.Effect<unknown> = Effect.void) =>
          transaction
            .run(Effect.andThen(Effect.orDie(sql`INSERT INTO at_commit VALUES (${how})`), statement))
            .pipe(Effect.flip)
        assert.strictEqual((yield* tried("lost")).reason._tag, "Undecided")
        assert.strictEqual((yield* tried("53100")).reason._tag, "Undecided")
        assert.strictEqual((yield* tried("40001")).reason._tag, "TooContended")
        const ignored = Effect.ignore(sql`SELECT 1 / 0`)
        assert.strictEqual((yield* tried("53100", ignored)).reason._tag, "StoreUnavailable")
      })
    )

    it.effect("says that the store is away when the connection is lost under the reading of a node's state", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const states = yield* NodeStateStore.NodeStateStore
        const node = yield* World.aNode()
        const locked = yield* Deferred.make<void>()
        const reading = yield* Effect.forkChild(
          Deferred.await(locked).pipe(Effect.andThen(states.load(node.id, 0)), Effect.flip)
        )
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`LOCK TABLE inbound IN ACCESS EXCLUSIVE MODE`
            yield* Deferred.succeed(locked, undefined)
            const [waiting] = yield* sql<{ readonly pid: number }>`SELECT pid FROM pg_locks WHERE NOT granted`.pipe(
              Effect.repeat({ until: (rows) => rows.length > 0, schedule: Schedule.spaced(20) })
            )
            yield* sql`SELECT pg_terminate_backend(${waiting!.pid})`
          })
        )
        const error = yield* Fiber.join(reading)
        assert.strictEqual(error.reason._tag, "StoreUnavailable")
      })
    )
  })
})
