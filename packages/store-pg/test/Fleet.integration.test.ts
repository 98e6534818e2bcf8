/** The fleet in PostgreSQL: of two that would stand in each other's way one comes, and lists cost what they show. */
import { assert, layer } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import {
  Actor,
  ControlPlane,
  Inbounds,
  Inventory,
  InventoryStore,
  NodeStates,
  Subscriptions,
  SubscriptionStore,
  Transaction
} from "@vpnmgr/core"
import { Context, Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { describe } from "vitest"
import * as FleetList from "../src/FleetList.ts"
import { database, postgresClient, skipped } from "./Databases.ts"

const url = await database()

const services = ControlPlane.layer.pipe(Layer.provideMerge(postgresClient(url)))

const draft = (nodeId: string, listen: string, port = 443) => ({
  nodeId,
  host: "192.0.2.1",
  port,
  listen,
  geo: null,
  purpose: null,
  settings: { protocol: "shadowsocks" } as const
})

const aNode = Effect.gen(function* () {
  const inventory = yield* Inventory.Inventory
  const { node } = yield* inventory.createNode({ description: null, geo: null, purpose: null, linkSpeed: null })
  return node.id
})

const asSystem = Effect.provideService(Actor.Actor, Actor.system)

const all = { after: null, limit: 100 }

describe.skipIf(skipped !== "")(`Fleet${skipped}`, () => {
  layer(services, { timeout: "60 seconds", excludeTestServices: true })("in PostgreSQL", (it) => {
    it.effect("lets one of many have a port, however their addresses overlap", () =>
      Effect.gen(function* () {
        const inbounds = yield* Inbounds.Inbounds
        for (let round = 0; round < 5; round++) {
          const nodeId = yield* aNode
          const listens = ["::", "0.0.0.0", "::", "0.0.0.0", "::", "0.0.0.0"]
          const made = yield* Effect.forEach(listens, (listen) => Effect.exit(inbounds.create(draft(nodeId, listen))), {
            concurrency: "unbounded"
          })
          assert.strictEqual(made.filter(Exit.isSuccess).length, 1)
          const beside = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
          yield* Effect.forEach(beside, (listen) => inbounds.create(draft(nodeId, listen, 444)), { concurrency: 3 })
          assert.strictEqual((yield* inbounds.list({ nodeId }, all)).length, 4)
        }
      }).pipe(asSystem)
    )

    it.effect("lets one of two that move onto one port have it", () =>
      Effect.gen(function* () {
        const inbounds = yield* Inbounds.Inbounds
        const nodeId = yield* aNode
        const made = [yield* inbounds.create(draft(nodeId, "::", 1)), yield* inbounds.create(draft(nodeId, "::", 2))]
        const moved = yield* Effect.forEach(
          [
            [made[0]!.id, "::"],
            [made[1]!.id, "0.0.0.0"]
          ] as const,
          ([id, listen]) => Effect.exit(inbounds.change(id, { port: 3, listen })),
          { concurrency: 2 }
        )
        assert.strictEqual(moved.filter(Exit.isSuccess).length, 1)
      }).pipe(asSystem)
    )

    it.effect("never leaves an inbound on a node that is deleted at the same time", () =>
      Effect.gen(function* () {
        const inbounds = yield* Inbounds.Inbounds
        const inventory = yield* Inventory.Inventory
        let deleted = 0
        for (let round = 0; round < 8; round++) {
          const nodeId = yield* aNode
          const making = Effect.asVoid(inbounds.create(draft(nodeId, "::")))
          const both = [inventory.removeNode(nodeId), making].map((each) =>
            Effect.map(Effect.exit(each), Exit.isSuccess)
          )
          const done = yield* Effect.all(round % 2 === 0 ? both : both.toReversed(), { concurrency: 2 })
          assert.strictEqual(done.filter(Boolean).length, 1)
          const isGone = Exit.isFailure(yield* Effect.exit(inventory.getNode(nodeId)))
          assert.strictEqual((yield* inbounds.list({ nodeId }, all)).length, isGone ? 0 : 1)
          if (isGone) deleted++
        }
        assert.isAbove(deleted, 0)
      }).pipe(asSystem)
    )

    it.effect("never leaves a subscription linked to an inbound that is deleted at the same time", () =>
      Effect.gen(function* () {
        const inbounds = yield* Inbounds.Inbounds
        const subscriptions = yield* Subscriptions.Subscriptions
        const nodeId = yield* aNode
        const stays = yield* inbounds.create(draft(nodeId, "::", 1))
        for (let round = 0; round < 8; round++) {
          const gone = yield* inbounds.create(draft(nodeId, "::", 443))
          const { subscription } = yield* subscriptions.create({
            ownerId: null,
            title: null,
            description: null,
            expiresAt: null,
            maxTraffic: null,
            maxSpeed: null,
            trafficResetPeriod: null,
            anchor: null,
            inboundIds: [stays.id]
          })
          const both = [
            Effect.exit(subscriptions.change(subscription.id, { inboundIds: [stays.id, gone.id] })),
            Effect.exit(inbounds.remove(gone.id))
          ]
          yield* Effect.all(round % 2 === 0 ? both : both.toReversed(), { concurrency: 2 })
          const after = yield* subscriptions.get(subscription.id)
          assert.deepStrictEqual(after.subscription.inboundIds, [stays.id])
        }
      }).pipe(asSystem)
    )

    it.effect("brings no link to a deleted inbound back when another one is unlinked at the same time", () =>
      Effect.gen(function* () {
        const inbounds = yield* Inbounds.Inbounds
        const store = yield* InventoryStore.InventoryStore
        const subscriptions = yield* Subscriptions.Subscriptions
        const transaction = yield* Transaction.Transaction
        const nodeId = yield* aNode
        const [one, gone, stays] = yield* Effect.forEach([1, 2, 3], (port) =>
          inbounds.create(draft(nodeId, "::", port))
        )
        const { id, link } = yield* World.aSubscription({ inboundIds: [one!.id, gone!.id, stays!.id] })
        const deleted = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const deleting = yield* transaction
          .run(
            Effect.gen(function* () {
              yield* store.lockInbound(gone!.id)
              yield* store.deleteInbound(gone!.id, World.noon)
              yield* Deferred.succeed(deleted, undefined)
              yield* Deferred.await(goOn)
            })
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(deleted)
        const unlinking = yield* Effect.forkChild(subscriptions.unlink(id, one!.id))
        yield* Effect.sleep("500 millis")
        yield* Deferred.succeed(goOn, undefined)
        yield* Fiber.join(deleting)
        yield* Fiber.join(unlinking)
        assert.deepStrictEqual((yield* subscriptions.get(id)).subscription.inboundIds, [stays!.id])
        const [facts] = yield* (yield* SubscriptionStore.SubscriptionStore).forConfigs([link])
        assert.deepStrictEqual(
          facts!.inbounds.map((inbound) => inbound.id),
          [stays!.id]
        )
      }).pipe(asSystem)
    )

    it.effect("ends on another replica the poll whose key is revoked, and only that", () =>
      Effect.gen(function* () {
        const inventory = yield* Inventory.Inventory
        const replica = yield* Layer.build(Layer.fresh(services))
        const states = Context.get(replica, NodeStates.NodeStates)
        const nodeId = yield* aNode
        const [one, two] = [yield* inventory.createToken(nodeId), yield* inventory.createToken(nodeId)]
        const first = yield* states.poll({ nodeId, tokenId: one.token.id }, { generation: "", revision: 0 }, 0)
        const wait = (tokenId: string) =>
          Effect.forkChild(Effect.exit(states.poll({ nodeId, tokenId }, first!, 30_000)))
        const waiting = [yield* wait(one.token.id), yield* wait(two.token.id)] as const
        yield* Effect.sleep("1 second")
        assert.isUndefined(waiting[0].pollUnsafe())
        yield* inventory.revokeToken(one.token.id)
        const ended = yield* Fiber.join(waiting[0]).pipe(Effect.timeout("2 seconds"))
        assert.isTrue(Exit.isFailure(ended))
        assert.include(JSON.stringify(ended), "TokenRevoked")
        assert.isUndefined(waiting[1].pollUnsafe())
        yield* inventory.removeNode(nodeId)
        yield* Fiber.join(waiting[1]).pipe(Effect.timeout("2 seconds"))
      }).pipe(Effect.scoped, asSystem)
    )

    it.effect("finds a page by index, whatever is filtered", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const store = yield* InventoryStore.InventoryStore
        yield* sql`INSERT INTO node (id, geo, purpose, created_at, updated_at)
          SELECT gen_random_uuid(), 'g' || n % 5, 'p' || n % 5, now(), now() FROM generate_series(1, 20000) n`
        yield* sql`INSERT INTO inbound (id, node_id, host, port, listen, protocol, network, tls, geo, purpose, is_active,
            traffic_multiplier, settings, created_at, updated_at)
          SELECT gen_random_uuid(), gen_random_uuid(), 'h' || n, 443, '::', CASE WHEN n % 5 = 0 THEN 'vless' ELSE 'hysteria2' END,
            'tcp', true, 'g' || n % 5, 'p' || n % 5, n % 5 > 0, 1000, '', now(), now() FROM generate_series(1, 20000) n`
        yield* sql`ANALYZE node, inbound`
        const plan = (query: Statement.Statement<unknown>) =>
          Effect.map(query, (rows) => rows.map((row) => String(Object.values(row as object)[0])).join("\n"))
        const page = { after: World.anId().replace(/^./, "1"), limit: 50 }
        for (const filter of [{}, { geo: "g3" }, { purpose: "p3" }]) {
          const text = yield* plan(sql`EXPLAIN SELECT n.id FROM node n
            WHERE ${FleetList.nodes(sql, filter, page, 0)} ORDER BY n.id LIMIT 50`)
          assert.match(text, /Index/, JSON.stringify(filter))
          assert.notMatch(text, /Seq Scan|Sort/, `${JSON.stringify(filter)}\n${text}`)
        }
        const filters = [
          {},
          { geo: "g3" },
          { purpose: "p3" },
          { protocol: "vless" },
          { isActive: false },
          { nodeId: page.after }
        ]
        for (const filter of filters as ReadonlyArray<Parameters<typeof store.listInbounds>[0]>) {
          const text = yield* plan(sql`EXPLAIN SELECT i.id FROM inbound i
            WHERE ${FleetList.inbounds(sql, filter, page)} ORDER BY i.id LIMIT 50`)
          assert.match(text, /Index/, JSON.stringify(filter))
          assert.notMatch(text, /Seq Scan|Sort/, `${JSON.stringify(filter)}\n${text}`)
        }
        const control = yield* plan(
          sql`EXPLAIN SELECT i.id FROM inbound i WHERE i.host = 'h7' ORDER BY i.host LIMIT 50`
        )
        assert.match(control, /Seq Scan|Sort/)
      })
    )
  })
})
