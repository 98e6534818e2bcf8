import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import {
  Actor,
  ConfigDelivery,
  ControlPlane,
  Directory,
  Enforcer,
  Grain,
  Instant,
  Inbounds,
  Inventory,
  MemoryStores,
  NodeState,
  NodeStates,
  NodeStateStore,
  Spares,
  Subscriptions
} from "../src/index.ts"

const second = 1000
const layerControlPlane = ControlPlane.layer.pipe(
  Layer.provideMerge(MemoryStores.layer),
  Layer.provideMerge(Layer.succeed(Grain.Grain)(second))
)

const asSystem = Effect.provideService(Actor.Actor, Actor.system)
const page = { after: null, limit: 100 }

/** A node with one Shadowsocks inbound, a full pool, and a subscription of 10,000 bytes every 20 s. */
const arrange = Effect.gen(function* () {
  yield* TestClock.adjust("1000 seconds")
  const directory = yield* Directory.Directory
  const inventory = yield* Inventory.Inventory
  const inbounds = yield* Inbounds.Inbounds
  const subscriptions = yield* Subscriptions.Subscriptions
  yield* (yield* Spares.Spares).refillDue
  const group = yield* directory.createGroup({
    name: "small",
    maxTraffic: 25_000n,
    maxSpeed: null,
    trafficResetPeriod: null
  })
  const owner = yield* directory.createUser({
    username: `op${Math.random()}`,
    role: "operator",
    groupIds: [group.id],
    passwordHash: "x"
  })
  const { node } = yield* inventory.createNode({ description: "n", geo: null, purpose: null, linkSpeed: null })
  const { token } = yield* inventory.createToken(node.id)
  const inbound = yield* inbounds.create({
    nodeId: node.id,
    host: "203.0.113.1",
    port: 443,
    geo: null,
    purpose: null,
    settings: { protocol: "shadowsocks" }
  })
  const created = yield* subscriptions.create({
    ownerId: owner.user.id,
    title: "t",
    description: null,
    expiresAt: null,
    maxTraffic: 10_000n,
    maxSpeed: null,
    trafficResetPeriod: "PT20S",
    inboundIds: [inbound.id],
    anchor: null
  })
  const origin = { nodeId: node.id, tokenId: token.id }
  let seq = 0
  const spool = "0199c1c0-0000-7000-8000-000000000001"
  const send = (bytesDown: bigint, seconds = 1) =>
    Effect.gen(function* () {
      const now = yield* Instant.now
      yield* (yield* Enforcer.Enforcer).report(origin, {
        batch: {
          spool,
          seq: ++seq,
          from: now - seconds * second,
          to: now,
          entries: [{ credential: created.subscription.credential, inbound: inbound.ref, bytesUp: 0n, bytesDown }]
        },
        sentAt: now,
        lowest: seq,
        agentVersion: "test",
        planeVersion: null
      })
    })
  return { owner: owner.user, node, inbound, origin, send, id: created.subscription.id, subscriptions, directory }
}).pipe(asSystem)

layer(layerControlPlane, { excludeTestServices: false })("Enforcer", (it) => {
  it.effect("cuts off at the limit, and lets back in when the window turns", () =>
    Effect.gen(function* () {
      const { send, id, subscriptions, origin, directory, owner } = yield* arrange
      const states = yield* NodeStates.NodeStates
      const assigner = yield* NodeStateStore.NodeStateStore
      yield* assigner.assign
      const whole = (yield* states.poll(origin, { generation: "", revision: 0 }, 0))!
      assert.isNull(whole.since)
      assert.strictEqual(whole.credentials.length, 64)
      assert.strictEqual(whole.credentials.filter((each) => each.open.length > 0).length, 1)
      yield* TestClock.adjust("1 second")
      yield* send(9_999n)
      assert.strictEqual((yield* subscriptions.get(id)).verdict.state, "active")
      yield* send(1n)
      const over = yield* subscriptions.get(id)
      assert.strictEqual(over.verdict.state, "over_limit")
      assert.strictEqual(over.bucket.used, 10_000_000n)
      yield* assigner.assign
      const difference = (yield* states.poll(origin, whole, 0))!
      assert.strictEqual(difference.since, whole.revision)
      assert.strictEqual(difference.buckets[0]!.remaining, 0n)
      assert.isTrue(difference.buckets[0]!.isBlocked)
      assert.strictEqual(NodeState.merge(whole, difference).credentials.length, 64)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* subscriptions.get(id)).verdict.state, "active")
      yield* send(9_999n)
      const again = yield* subscriptions.get(id)
      assert.strictEqual(again.verdict.state, "active")
      assert.strictEqual(again.bucket.used, 9_999_000n)
      yield* TestClock.adjust("30 seconds")
      yield* send(6_000n)
      const both = yield* subscriptions.get(id)
      assert.deepStrictEqual(
        [both.verdict.state, both.verdict.state === "over_limit" && both.verdict.bucket],
        ["over_limit", "owner"]
      )
      yield* directory.setGroups(owner.id, [])
      assert.strictEqual((yield* subscriptions.get(id)).verdict.state, "active")
    }).pipe(asSystem)
  )

  it.effect("counts from zero after a reset, and never lowers the owner's bucket by it", () =>
    Effect.gen(function* () {
      const { send, id, subscriptions, directory, owner } = yield* arrange
      yield* TestClock.adjust("1 second")
      yield* send(10_000n)
      assert.strictEqual((yield* subscriptions.get(id)).verdict.state, "over_limit")
      yield* TestClock.adjust("1 second")
      const fresh = yield* subscriptions.reset(id)
      assert.strictEqual(fresh.verdict.state, "active")
      assert.strictEqual(fresh.bucket.used, 0n)
      yield* TestClock.adjust("1 second")
      yield* send(1n)
      assert.strictEqual((yield* subscriptions.get(id)).bucket.used, 1000n)
      assert.strictEqual((yield* directory.getUser(owner.id)).bucket.used, 10_001_000n)
    }).pipe(asSystem)
  )

  it.effect("gives another link and credential when rotated, and answers nothing under the old one", () =>
    Effect.gen(function* () {
      const { id, subscriptions } = yield* arrange
      const delivery = yield* ConfigDelivery.ConfigDelivery
      const before = yield* subscriptions.get(id)
      assert.strictEqual((yield* delivery.fetch(before.subscription.link))._tag, "Config")
      const after = yield* subscriptions.rotate(id)
      assert.notStrictEqual(after.subscription.credential, before.subscription.credential)
      assert.strictEqual((yield* delivery.fetch(before.subscription.link))._tag, "Unknown")
      assert.strictEqual((yield* delivery.fetch(after.subscription.link))._tag, "Config")
      yield* subscriptions.suspend(id)
      assert.strictEqual((yield* delivery.fetch(after.subscription.link))._tag, "Suspended")
      yield* subscriptions.remove(id)
      assert.strictEqual((yield* delivery.fetch(after.subscription.link))._tag, "Unknown")
      assert.strictEqual((yield* subscriptions.list({}, page)).filter((each) => each.subscription.id === id).length, 0)
    }).pipe(asSystem)
  )
})
