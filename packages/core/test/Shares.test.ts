import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer } from "effect"
import {
  Actor,
  ControlPlane,
  Enforcer,
  Grain,
  Inbounds,
  Instant,
  Inventory,
  MemoryStores,
  NodeStates,
  NodeStateStore,
  Shares,
  Transaction
} from "../src/index.ts"

/** Lets nobody on until it opens, and knows how many stand in it. */
const makeGate = () => {
  const gate = Latch.makeUnsafe(true)
  const seen = { inside: 0, most: 0 }
  const through = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => (seen.most = Math.max(seen.most, ++seen.inside))),
      () => Effect.andThen(gate.await, effect),
      () => Effect.sync(() => seen.inside--)
    )
  return { close: () => gate.closeUnsafe(), open: () => gate.openUnsafe(), seen, through }
}

const makeWorld = () => {
  const [transactions, wholes, differences] = [makeGate(), makeGate(), makeGate()]
  const stores = Layer.mergeAll(
    Layer.effect(
      Transaction.Transaction,
      Effect.map(Transaction.Transaction, (inner) => ({
        ...inner,
        run: (work) => transactions.through(inner.run(work))
      }))
    ),
    Layer.effect(
      NodeStateStore.NodeStateStore,
      Effect.map(NodeStateStore.NodeStateStore, (inner) => ({
        ...inner,
        load: (nodeId: string, since: number | null) =>
          (since === null ? wholes : differences).through(inner.load(nodeId, since))
      }))
    )
  ).pipe(Layer.provideMerge(MemoryStores.layer))
  const services = ControlPlane.layer.pipe(
    Layer.provideMerge(stores),
    Layer.provideMerge(Layer.succeed(Grain.Grain)(1000))
  )
  return { transactions, wholes, differences, services }
}

const aNode = Effect.gen(function* () {
  const inventory = yield* Inventory.Inventory
  const { node } = yield* inventory.createNode({ description: null, geo: null, purpose: null, linkSpeed: null })
  const { token } = yield* inventory.createToken(node.id)
  return { nodeId: node.id, tokenId: token.id }
})

/** An inbound on each node, and a revision that tells them. */
const anInboundEach = Effect.fnUntraced(function* (nodes: ReadonlyArray<Effect.Success<typeof aNode>>, port: number) {
  const inbounds = yield* Inbounds.Inbounds
  yield* Effect.forEach(nodes, ({ nodeId }) =>
    inbounds.create({
      nodeId,
      host: "203.0.113.1",
      port,
      geo: null,
      purpose: null,
      settings: { protocol: "shadowsocks" }
    })
  )
  yield* (yield* NodeStateStore.NodeStateStore).assign
})

type Gate = ReturnType<typeof makeGate>

/** Runs twenty of them against a closed gate, then opens it; answers what they answered. */
const crowd = Effect.fnUntraced(function* <A, E, R>(gate: Gate, one: (index: number) => Effect.Effect<A, E, R>) {
  gate.seen.most = 0
  gate.close()
  const all = yield* Effect.forEach(
    Array.from({ length: 20 }, (_, index) => index),
    (index) => Effect.forkChild(one(index))
  )
  yield* Effect.sleep("100 millis")
  const most = gate.seen.most
  gate.open()
  return { most, answers: yield* Effect.forEach(all, Fiber.join) }
})

const { differences: few, reports, states: whole } = Shares.Shares.defaultValue()

describe("Shares", () => {
  it("leaves a fifth of a pool to all else, and none of them nothing", () => {
    assert.deepStrictEqual(Shares.of(10), { reports: 4, differences: 3, states: 1 })
    assert.deepStrictEqual(Shares.of(40), { reports: 16, differences: 12, states: 4 })
    assert.deepStrictEqual(Shares.of(1), { reports: 1, differences: 1, states: 1 })
  })

  it.live("applies so many reports at once, and all of them", () => {
    const { services, transactions } = makeWorld()
    return Effect.gen(function* () {
      const [origin, enforcer, now] = [yield* aNode, yield* Enforcer.Enforcer, yield* Instant.now]
      const report = (index: number) =>
        enforcer.report(origin, {
          batch: {
            spool: "0199c1c0-0000-7000-8000-000000000001",
            seq: index + 1,
            from: now - 1000,
            to: now,
            entries: []
          },
          sentAt: now,
          lowest: 1,
          agentVersion: "test",
          planeVersion: null
        })
      const { answers, most } = yield* crowd(transactions, report)
      assert.strictEqual(most, reports)
      assert.sameMembers(
        answers.map(({ seq }) => seq),
        Array.from({ length: 20 }, (_, index) => index + 1)
      )
    }).pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.provide(services))
  })

  it.live("reads so many whole states and differences at once, each kind for itself", () => {
    const { differences, services, wholes } = makeWorld()
    return Effect.gen(function* () {
      const nodes = yield* Effect.replicateEffect(aNode, 20)
      const states = yield* NodeStates.NodeStates
      yield* anInboundEach(nodes, 443)
      const first = yield* crowd(wholes, (index) => states.poll(nodes[index]!, { generation: "", revision: 0 }, 0))
      yield* anInboundEach(nodes, 444)
      const second = yield* crowd(differences, (index) => states.poll(nodes[index]!, first.answers[index]!, 0))
      assert.deepStrictEqual([first.most, second.most], [whole, few])
      assert.isTrue(first.answers.every((state) => state?.since === null && state.inbounds.length === 1))
      assert.isTrue(second.answers.every((state) => state?.since === 1 && state.inbounds.length === 1))
    }).pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.provide(services))
  })
})
