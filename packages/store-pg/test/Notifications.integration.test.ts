/** What goes out on commit, on every replica, and comes back after the connection was lost. */
import { assert, describe, it } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import { NodeStateStore, Transaction } from "@vpnmgr/core"
import { Context, Effect, Fiber, Layer, Option, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { database, postgresClient, skipped } from "./Databases.ts"

const untilListening = Effect.gen(function* () {
  const store = yield* NodeStateStore.NodeStateStore
  while (!store.isListening()) yield* Effect.sleep(20)
}).pipe(Effect.timeout("10 seconds"))

const marked = Effect.gen(function* () {
  const node = yield* World.aNode()
  const inbound = yield* World.anInbound(node.id)
  const store = yield* NodeStateStore.NodeStateStore
  yield* store.markInbounds([inbound.id], { roster: false })
  return node.id
})

describe.skipIf(skipped !== "")(`Notifications${skipped}`, () => {
  it.live("wake every replica, after the commit", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const url = yield* Effect.promise(database)
        const one = yield* Layer.build(Layer.fresh(postgresClient(url)))
        const two = yield* Layer.build(Layer.fresh(postgresClient(url)))
        const other = Context.get(two, NodeStateStore.NodeStateStore)
        yield* untilListening.pipe(Effect.provide(two))
        const dirtied = yield* Effect.forkChild(Stream.runHead(other.dirtied))
        const assigned = yield* Effect.forkChild(Stream.runHead(other.assigned))
        yield* Effect.sleep(50)
        const transaction = Context.get(one, Transaction.Transaction)
        const nodeId = yield* transaction
          .run(
            Effect.gen(function* () {
              const nodeId = yield* marked
              yield* Effect.sleep(100)
              assert.isUndefined(dirtied.pollUnsafe(), "nothing is heard before the commit")
              return nodeId
            })
          )
          .pipe(Effect.provide(one))
        yield* Fiber.join(dirtied).pipe(Effect.timeout("5 seconds"))
        yield* Context.get(one, NodeStateStore.NodeStateStore).assign
        assert.deepStrictEqual(yield* Fiber.join(assigned).pipe(Effect.timeout("5 seconds")), Option.some(nodeId))
      })
    )
  )

  it.live("come again after the listener's connection was lost, and the store says when they do not", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const store = yield* NodeStateStore.NodeStateStore
        yield* untilListening
        yield* sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = 'vpnmgr-listener' AND datname = current_database()`
        yield* Effect.gen(function* () {
          while (store.isListening()) yield* Effect.sleep(10)
        }).pipe(Effect.timeout("5 seconds"))
        yield* untilListening
        const heard = yield* Effect.forkChild(Stream.runHead(store.dirtied))
        yield* Effect.sleep(50)
        yield* marked
        yield* Fiber.join(heard).pipe(Effect.timeout("5 seconds"))
      }).pipe(Effect.provide(postgresClient(url)))
    })
  )
})
