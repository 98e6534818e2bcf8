import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import {
  Actor,
  ConfigDelivery,
  ControlPlane,
  Directory,
  Instant,
  MemoryStores,
  NodeStateStore,
  Subscriptions,
  SubscriptionStore
} from "../src/index.ts"
import * as ConfigCache from "../src/ConfigCache.ts"

/** A cache whose links were all asked for just before. */
const busy = () => {
  const cache = ConfigCache.make<string>()
  const keep: typeof cache.keep = (link, entry) => {
    cache.keep(link, entry)
    cache.keep(link, entry)
  }
  return { ...cache, keep }
}

const kept = { answer: "a", size: 1, subscriptionId: "s", ownerId: "o", from: 1000, goodUntil: Infinity, asOf: 0 }

describe("ConfigCache", () => {
  it("hands an answer out for less than a second, and never past the instant at which it changes", () => {
    const cache = busy()
    cache.keep("link", kept)
    assert.strictEqual(cache.find("link", 1599), "a")
    assert.isUndefined(cache.find("link", 1600))
    cache.keep("link", { ...kept, goodUntil: 1500 })
    assert.strictEqual(cache.find("link", 1499), "a")
    assert.isUndefined(cache.find("link", 1500))
    cache.keep("link", kept)
    assert.isUndefined(cache.find("link", 999), "the clock was set back")
  })

  it("keeps nothing of a link that was not asked for just before", () => {
    const cache = ConfigCache.make<string>()
    cache.keep("link", kept)
    assert.isUndefined(cache.find("link", 1000))
    cache.keep("link", { ...kept, from: 1500 })
    assert.strictEqual(cache.find("link", 1500), "a")
    cache.keep("rare", kept)
    cache.keep("rare", { ...kept, from: 3000 })
    assert.isUndefined(cache.find("rare", 3000))
  })

  it("forgets what changed, and what was asked for before it changed", () => {
    const cache = busy()
    const isKept = (asOf: number) => {
      cache.keep("link", { ...kept, asOf })
      return cache.find("link", 1000) !== undefined
    }
    for (const what of [
      { kind: "subscription", ids: ["x", "s"] },
      { kind: "owner", ids: ["o"] },
      { kind: "everything" }
    ] as const) {
      const before = cache.now()
      assert.isTrue(isKept(before))
      cache.hear({ kind: "subscription", ids: ["another"] })
      assert.strictEqual(cache.find("link", 1000), "a")
      cache.hear(what)
      assert.isUndefined(cache.find("link", 1000))
      assert.isFalse(isKept(before), "a slow answer that a change has overtaken")
      assert.isTrue(isKept(cache.now()))
    }
  })

  it("is bounded in what it keeps and in what it remembers", () => {
    const cache = busy()
    const mebibyte = 1024 * 1024
    for (let n = 0; n < 40; n++) cache.keep(`link ${n}`, { ...kept, size: mebibyte })
    const found = Array.from({ length: 40 }, (_, n) => cache.find(`link ${n}`, 1000) !== undefined)
    const count = found.filter(Boolean).length
    assert.isTrue(count >= 4 && count <= 8, `${count} MiB are kept`)
    assert.isTrue(found.slice(40 - count).every(Boolean), "the oldest go first")
    const asOf = cache.now()
    cache.keep("link", { ...kept, asOf })
    for (let n = 0; n < 10_000; n++) cache.hear({ kind: "subscription", ids: [`changed ${n}`] })
    assert.strictEqual(cache.find("link", 1000), "a")
    cache.hear({ kind: "subscription", ids: ["one too many"] })
    assert.isUndefined(cache.find("link", 1000))
  })
})

/** Counts how often the store is asked for a config. */
const asked = { times: 0, isListening: true }

const counted = Layer.mergeAll(
  Layer.effect(
    SubscriptionStore.SubscriptionStore,
    Effect.map(SubscriptionStore.SubscriptionStore, (store) => ({
      ...store,
      forConfigs: (links: ReadonlyArray<string>) => Effect.suspend(() => (asked.times++, store.forConfigs(links)))
    }))
  ),
  Layer.effect(
    NodeStateStore.NodeStateStore,
    Effect.map(NodeStateStore.NodeStateStore, (store) => ({
      ...store,
      isListening: () => asked.isListening
    }))
  )
)

const layer = ControlPlane.layer.pipe(Layer.provideMerge(counted), Layer.provideMerge(MemoryStores.layer))

const none = { maxTraffic: null, maxSpeed: null, trafficResetPeriod: null }
const plain = { ...none, ownerId: null, title: null, description: null, expiresAt: null, inboundIds: [], anchor: null }

describe("ConfigDelivery", () => {
  const fetching = Effect.gen(function* () {
    const delivery = yield* ConfigDelivery.ConfigDelivery
    return Effect.fnUntraced(function* (link: string) {
      const before = asked.times
      const found = yield* delivery.fetch(link)
      return [found._tag, asked.times - before] as const
    })
  })
  const run = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof layer> | Actor.Actor>) =>
    effect.pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.provide(layer))

  it.effect("asks the store no more for a link that is asked for again, and each time for one that leads nowhere", () =>
    run(
      Effect.gen(function* () {
        const fetch = yield* fetching
        const { subscription } = yield* (yield* Subscriptions.Subscriptions).create(plain)
        assert.deepStrictEqual(yield* fetch(subscription.link), ["Config", 1])
        assert.deepStrictEqual(yield* fetch(subscription.link), ["Config", 1])
        assert.deepStrictEqual(yield* fetch(subscription.link), ["Config", 0])
        yield* TestClock.adjust(600)
        assert.deepStrictEqual(yield* fetch(subscription.link), ["Config", 1])
        assert.deepStrictEqual(yield* fetch("nobody"), ["Unknown", 1])
        assert.deepStrictEqual(yield* fetch("nobody"), ["Unknown", 1])
      })
    )
  )

  it.effect("answers every change at once, and an expiry to the millisecond", () =>
    run(
      Effect.gen(function* () {
        const fetch = yield* fetching
        const subscriptions = yield* Subscriptions.Subscriptions
        const directory = yield* Directory.Directory
        const owner = yield* directory.createUser({
          username: "owner",
          role: "operator",
          passwordHash: "$",
          groupIds: []
        })
        const now = yield* Instant.now
        const draft = { ...plain, ownerId: owner.user.id, expiresAt: now + 500 }
        const { subscription } = yield* subscriptions.create(draft)
        const { id, link } = subscription
        const delivery = yield* ConfigDelivery.ConfigDelivery
        const body = Effect.map(delivery.fetch(link), (found) => (found._tag === "Config" ? found.body : found._tag))
        assert.include(yield* body, "no server yet")
        yield* subscriptions.suspend(id)
        assert.deepStrictEqual(yield* fetch(link), ["Suspended", 1])
        assert.deepStrictEqual(yield* fetch(link), ["Suspended", 0])
        yield* subscriptions.resume(id)
        assert.include(yield* body, "no server yet")
        yield* TestClock.adjust(499)
        assert.deepStrictEqual(yield* fetch(link), ["Config", 0])
        yield* TestClock.adjust(1)
        assert.include(yield* body, "expired on")
        yield* subscriptions.change(id, { expiresAt: null })
        assert.include(yield* body, "no server yet")
        const dry = yield* directory.createGroup({ name: "dry", ...none, maxTraffic: 0n })
        yield* directory.setGroups(owner.user.id, [dry.id])
        assert.include(yield* body, "provider over limit")
        yield* subscriptions.rotate(id)
        assert.strictEqual(yield* body, "Unknown")
      })
    )
  )

  it.effect("keeps nothing while the change listener is down", () =>
    run(
      Effect.gen(function* () {
        const fetch = yield* fetching
        const { subscription } = yield* (yield* Subscriptions.Subscriptions).create(plain)
        yield* fetch(subscription.link)
        asked.isListening = false
        for (let n = 0; n < 3; n++) assert.deepStrictEqual(yield* fetch(subscription.link), ["Config", 1])
        asked.isListening = true
        assert.deepStrictEqual(yield* fetch(subscription.link), ["Config", 1])
        assert.deepStrictEqual(yield* fetch(subscription.link), ["Config", 0])
      })
    )
  )
})
