/** "Nothing was changed" is said of every failure of a store, so it must be so when what is answered cannot be read. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import {
  Actor,
  ControlPlane,
  Inventory,
  InventoryStore,
  MemoryStores,
  NodeStateStore,
  Subscriptions,
  Transaction
} from "../src/index.ts"

const away = new Transaction.StoreError({ reason: new Transaction.StoreUnavailable({ detail: "away" }) })

let isAway = false

const unlessAway = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.suspend((): Effect.Effect<A, E | Transaction.StoreError> => (isAway ? Effect.fail(away) : effect))

/** What only answers need, failing as it is told. */
const unread = Layer.mergeAll(
  Layer.effect(
    NodeStateStore.NodeStateStore,
    Effect.map(NodeStateStore.NodeStateStore, (store) => ({
      ...store,
      convergence: (id) => unlessAway(store.convergence(id))
    }))
  ),
  Layer.effect(
    InventoryStore.InventoryStore,
    Effect.map(InventoryStore.InventoryStore, (store) => ({
      ...store,
      health: (ids, now) => unlessAway(store.health(ids, now))
    }))
  )
)

const services = ControlPlane.layer.pipe(Layer.provideMerge(unread), Layer.provideMerge(MemoryStores.layer))

const asSystem = Effect.provideService(Actor.Actor, Actor.system)

/** Runs a change whose answer cannot be read. */
const unanswered = <A, E, R>(change: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    isAway = true
    return Effect.ensuring(
      Effect.flip(change),
      Effect.sync(() => (isAway = false))
    )
  })

const first = { after: null, limit: 10 }

const draft: Subscriptions.Draft = {
  ownerId: null,
  title: "before",
  description: null,
  expiresAt: null,
  maxTraffic: null,
  maxSpeed: null,
  trafficResetPeriod: null,
  anchor: null,
  inboundIds: []
}

layer(services)("A change whose answer cannot be read", (it) => {
  it.effect("did not happen to a subscription", () =>
    Effect.gen(function* () {
      const subscriptions = yield* Subscriptions.Subscriptions
      assert.strictEqual((yield* unanswered(subscriptions.create(draft)))._tag, "StoreError")
      assert.deepStrictEqual(yield* subscriptions.list({}, first), [])
      const { subscription } = yield* subscriptions.create(draft)
      assert.strictEqual((yield* unanswered(subscriptions.rotate(subscription.id)))._tag, "StoreError")
      assert.deepStrictEqual((yield* subscriptions.get(subscription.id)).subscription, subscription)
      const rotated = yield* subscriptions.rotate(subscription.id)
      assert.notStrictEqual(rotated.subscription.link, subscription.link, "control: it rotates")
    }).pipe(asSystem)
  )

  it.effect("did not happen to a node", () =>
    Effect.gen(function* () {
      const inventory = yield* Inventory.Inventory
      const fields = { description: "before", geo: null, purpose: null, linkSpeed: null }
      assert.strictEqual((yield* unanswered(inventory.createNode(fields)))._tag, "StoreError")
      assert.deepStrictEqual(yield* inventory.listNodes({}, first), [])
      const { node } = yield* inventory.createNode(fields)
      const change = inventory.changeNode(node.id, { description: "after" })
      assert.strictEqual((yield* unanswered(change))._tag, "StoreError")
      assert.deepStrictEqual((yield* inventory.getNode(node.id)).node, node)
      assert.strictEqual((yield* change).node.description, "after", "control: it changes")
    }).pipe(asSystem)
  )
})
