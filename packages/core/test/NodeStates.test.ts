import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  Actor,
  ControlPlane,
  Grain,
  Inventory,
  MemoryStores,
  NodeStates,
  NodeStateStore,
  Transaction
} from "../src/index.ts"

/** A store whose notifications are all lost, and what it was asked. */
const makeDeaf = () => {
  const asked = { heads: 0, looks: [] as Array<number>, isDown: false }
  const layer = Layer.effect(
    NodeStateStore.NodeStateStore,
    Effect.map(NodeStateStore.NodeStateStore, (store) =>
      NodeStateStore.NodeStateStore.of({
        ...store,
        assigned: Stream.never,
        head: (nodeId, tokenId) => {
          asked.heads++
          return store.head(nodeId, tokenId)
        },
        outdated: (waiting) => {
          asked.looks.push(waiting.length)
          return asked.isDown
            ? Effect.fail(new Transaction.StoreError({ reason: new Transaction.StoreUnavailable({ detail: "down" }) }))
            : store.outdated(waiting)
        }
      })
    )
  )
  const services = ControlPlane.layer.pipe(
    Layer.provideMerge(layer.pipe(Layer.provideMerge(MemoryStores.layer))),
    Layer.provideMerge(Layer.succeed(Grain.Grain)(1000))
  )
  return { asked, services }
}

/** A node with a token, and its first state. */
const aNode = Effect.gen(function* () {
  const inventory = yield* Inventory.Inventory
  const states = yield* NodeStates.NodeStates
  const { node } = yield* inventory.createNode({ description: null, geo: null, purpose: null, linkSpeed: null })
  const { token } = yield* inventory.createToken(node.id)
  const origin = { nodeId: node.id, tokenId: token.id }
  const first = yield* states.poll(origin, { generation: "", revision: 0 }, 0)
  return { origin, have: first! }
})

/** Begins a poll of 30 s. */
const begin = Effect.fnUntraced(function* ({ have, origin }: Effect.Success<typeof aNode>) {
  const states = yield* NodeStates.NodeStates
  return yield* Effect.forkChild(Effect.exit(states.poll(origin, have, 30_000)), { startImmediately: true })
})

const asSystem = Effect.provideService(Actor.Actor, Actor.system)

describe("NodeStates", () => {
  it.effect("looks once for all polls that wait, and not at all for none", () => {
    const { asked, services } = makeDeaf()
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(asked.looks, [])
      const nodes = yield* Effect.replicateEffect(aNode, 20)
      const before = asked.heads
      const polls = yield* Effect.forEach(nodes, begin)
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(asked.looks, [20, 20, 20, 20, 20])
      assert.strictEqual(asked.heads - before, 20)
      yield* TestClock.adjust("1 second")
      const answers = yield* Effect.forEach(polls, Fiber.join)
      assert.isTrue(answers.every((answer) => answer._tag === "Success" && answer.value === null))
      const looks = asked.looks.length
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(asked.looks.length, looks)
    }).pipe(asSystem, Effect.provide(services))
  })

  it.effect("answers within 5 s whom a lost notification concerned, and nobody else", () => {
    const { services } = makeDeaf()
    return Effect.gen(function* () {
      const [one, two] = [yield* aNode, yield* aNode]
      const [first, second] = [yield* begin(one), yield* begin(two)]
      yield* (yield* Inventory.Inventory).revokeToken(two.origin.tokenId)
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.include(JSON.stringify(yield* Fiber.join(second)), "TokenRevoked")
      assert.isUndefined(first.pollUnsafe())
    }).pipe(asSystem, Effect.provide(services))
  })

  it.effect("goes on when the store could not be asked", () => {
    const { asked, services } = makeDeaf()
    return Effect.gen(function* () {
      const node = yield* aNode
      const poll = yield* begin(node)
      asked.isDown = true
      yield* (yield* Inventory.Inventory).revokeToken(node.origin.tokenId)
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(poll.pollUnsafe())
      asked.isDown = false
      yield* TestClock.adjust("5 seconds")
      assert.include(JSON.stringify(yield* Fiber.join(poll)), "TokenRevoked")
    }).pipe(asSystem, Effect.provide(services))
  })
})
