/** What `UsageStore.admit` promises: a batch counts once, however often and from wherever it comes. */
import { assert } from "@effect/vitest"
import { InventoryStore, Transaction, UsageStore } from "@vpnmgr/core"
import { Deferred, Effect, Fiber } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import type { Sent } from "./World.ts"
import { aNode, anId, anInbound, aSubscription, entry, hour, keyOf, noon, report, take, usedIn } from "./World.ts"

const second = 1000

/** A node with a subscription, and what its first batch says. */
const aReport = Effect.gen(function* () {
  const node = yield* aNode()
  const inbound = yield* anInbound(node.id)
  const { id, credential } = yield* aSubscription({ inboundIds: [inbound.id] })
  const sent: Sent = { node, spool: anId(), seq: 1, to: noon, entries: [entry(credential, inbound.ref, 5n)] }
  return { sent, used: usedIn("subscription", id) }
})

const admit = Effect.fnUntraced(function* (sent: Sent) {
  const usage = yield* UsageStore.UsageStore
  const transaction = yield* Transaction.Transaction
  return yield* transaction.run(usage.admit(keyOf(sent)))
})

/** Takes a batch in a transaction that ends when it is told to. */
const holding = Effect.fnUntraced(function* (sent: Sent, end: Effect.Effect<void, string>) {
  const transaction = yield* Transaction.Transaction
  const admitted = yield* Deferred.make<void>()
  const fiber = yield* transaction
    .run(
      Effect.gen(function* () {
        const { admission } = yield* take(sent)
        yield* Deferred.succeed(admitted, undefined)
        yield* end
        return admission
      })
    )
    .pipe(Effect.forkChild)
  yield* Deferred.await(admitted)
  return fiber
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`UsageStore, admission (${name})`, stores, (it) => {
    it.effect("counts a repeated batch once", () =>
      Effect.gen(function* () {
        const { sent, used } = yield* aReport
        assert.strictEqual((yield* report(sent)).admission, "new")
        assert.strictEqual((yield* report(sent)).admission, "replay")
        assert.strictEqual((yield* report({ ...sent, receivedAt: noon + hour, lowest: 1 })).admission, "replay")
        assert.strictEqual(yield* used, 5000n)
      })
    )

    it.effect("never takes a batch with other contents for a replay", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const { sent, used } = yield* aReport
        yield* report(sent)
        const forged = { ...sent, digest: "other" }
        assert.strictEqual((yield* report(forged)).admission, "conflict")
        const { spool, seq, to, entries } = sent
        const batch = { spool, seq, from: to, to, entries }
        assert.isTrue(yield* usage.setAside(keyOf(forged), batch, "conflict"))
        assert.isFalse(yield* usage.setAside(keyOf(forged), batch, "conflict"), "kept once, however often it comes")
        assert.isTrue(yield* usage.setAside(keyOf({ ...forged, digest: "a third" }), batch, "conflict"))
        assert.strictEqual((yield* report(sent)).admission, "replay")
        assert.strictEqual(yield* used, 5000n)
      })
    )

    it.effect("lets whoever comes second wait for the first, and answers a replay", () =>
      Effect.gen(function* () {
        const { sent, used } = yield* aReport
        const released = yield* Deferred.make<void>()
        const first = yield* holding(sent, Deferred.await(released))
        const second = yield* Effect.forkChild(report(sent))
        yield* Effect.sleep("100 millis")
        assert.isUndefined(second.pollUnsafe())
        yield* Deferred.succeed(released, undefined)
        assert.strictEqual(yield* Fiber.join(first), "new")
        assert.strictEqual((yield* Fiber.join(second)).admission, "replay")
        assert.strictEqual(yield* used, 5000n)
      })
    )

    it.effect("lets the second in when the first is rolled back", () =>
      Effect.gen(function* () {
        const { sent, used } = yield* aReport
        const released = yield* Deferred.make<void>()
        const first = yield* holding(sent, Effect.andThen(Deferred.await(released), Effect.fail("no")))
        const second = yield* Effect.forkChild(report(sent))
        yield* Effect.sleep("50 millis")
        assert.isUndefined(second.pollUnsafe())
        yield* Deferred.succeed(released, undefined)
        yield* Fiber.await(first)
        assert.strictEqual((yield* Fiber.join(second)).admission, "new")
        assert.strictEqual(yield* used, 5000n)
      })
    )

    it.effect("counts once however many send it at once", () =>
      Effect.gen(function* () {
        const { sent, used } = yield* aReport
        const taken = yield* Effect.replicateEffect(report(sent), 8, { concurrency: "unbounded" })
        assert.strictEqual(taken.filter(({ admission }) => admission === "new").length, 1)
        assert.strictEqual(taken.filter(({ admission }) => admission === "replay").length, 7)
        assert.strictEqual(yield* used, 5000n)
      })
    )

    it.effect("tells a spool that went back in time from one that repeats itself", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const { sent, used } = yield* aReport
        for (const seq of [1, 2, 3]) assert.strictEqual((yield* report({ ...sent, seq })).admission, "new")
        for (const seq of [1, 2, 3]) assert.strictEqual(yield* admit({ ...sent, seq }), "replay")
        assert.strictEqual(yield* admit({ ...sent, seq: 4, lowest: 4 }), "new")
        for (const seq of [1, 2, 3]) assert.strictEqual(yield* admit({ ...sent, seq }), "rewound")
        assert.strictEqual(yield* admit({ ...sent, seq: 3, digest: "other" }), "rewound")
        assert.strictEqual(yield* admit({ ...sent, seq: 4, lowest: 4 }), "replay")
        assert.strictEqual(yield* admit({ ...sent, seq: 4, digest: "other" }), "conflict")
        assert.strictEqual(yield* admit({ ...sent, seq: 5, lowest: 2 }), "new")
        assert.strictEqual(yield* admit({ ...sent, seq: 3, lowest: 2 }), "rewound")
        const { spool, to, entries } = sent
        yield* usage.setAside(keyOf({ ...sent, seq: 3 }), { spool, seq: 3, from: to, to, entries }, "rewound")
        assert.strictEqual(yield* used, 15_000n)
        const renamed = { ...sent, spool: anId(), seq: 6, lowest: 6 }
        assert.strictEqual((yield* report(renamed)).admission, "new")
        assert.strictEqual(yield* used, 20_000n)
      })
    )

    it.effect("never moves a floor above the batch that names it, whatever its sender claims", () =>
      Effect.gen(function* () {
        const { sent } = yield* aReport
        assert.strictEqual(yield* admit({ ...sent, seq: 2, lowest: 1000 }), "new")
        assert.strictEqual(yield* admit({ ...sent, seq: 2, lowest: 1000 }), "replay")
        assert.strictEqual(yield* admit({ ...sent, seq: 3 }), "new")
      })
    )

    it.effect("takes batches in any order", () =>
      Effect.gen(function* () {
        const { sent, used } = yield* aReport
        for (const seq of [3, 1, 2]) assert.strictEqual((yield* report({ ...sent, seq })).admission, "new")
        assert.strictEqual(yield* used, 15_000n)
      })
    )

    it.effect("starts anew with a spool that was made anew", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const { sent, used } = yield* aReport
        yield* report({ ...sent, seq: 7, lowest: 7 })
        const to = noon + 120 * second
        assert.strictEqual((yield* report({ ...sent, spool: anId(), to })).admission, "new")
        assert.strictEqual(yield* used, 10_000n)
        assert.isFalse((yield* inventory.health([sent.node.id], to)).get(sent.node.id)!.isCloned)
      })
    )

    it.effect("keeps the spools of two nodes apart, even with one id", () =>
      Effect.gen(function* () {
        const { sent } = yield* aReport
        const other = yield* aNode()
        assert.strictEqual(yield* admit(sent), "new")
        assert.strictEqual(yield* admit({ ...sent, node: other }), "new")
        assert.strictEqual(yield* admit({ ...sent, node: other, digest: "other" }), "conflict")
      })
    )

    it.effect("counts both of two machines with one token, and flags their node", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const { sent, used } = yield* aReport
        const health = Effect.map(inventory.health([sent.node.id], noon), (found) => found.get(sent.node.id)!)
        yield* report(sent)
        assert.isFalse((yield* health).isCloned)
        const clone = { ...sent, spool: anId() }
        assert.strictEqual((yield* report({ ...clone, to: noon + 10 * second })).admission, "new")
        assert.isTrue((yield* health).isCloned)
        yield* report({ ...sent, seq: 2, to: noon + 20 * second })
        assert.isTrue((yield* health).isCloned)
        assert.strictEqual(yield* used, 15_000n)
      })
    )

    it.effect("does not take two tokens of one node for a cloned machine", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const { sent } = yield* aReport
        const tokenId = anId()
        yield* inventory.insertToken({ id: tokenId, nodeId: sent.node.id, createdAt: noon, revokedAt: null }, anId())
        yield* admit(sent)
        yield* admit({ ...sent, node: { ...sent.node, tokenId }, spool: anId(), to: noon + second })
        assert.isFalse((yield* inventory.health([sent.node.id], noon)).get(sent.node.id)!.isCloned)
      })
    )

    it.effect("forgets all but the newest batch of silent spools, and keeps the usage", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const { sent, used } = yield* aReport
        const live = { ...sent, spool: anId(), to: noon + 48 * hour }
        yield* report(sent)
        yield* report(live)
        yield* report({ ...sent, seq: 2 })
        yield* usage.retain(noon + 24 * hour)
        assert.strictEqual(yield* used, 15_000n)
        assert.strictEqual(yield* admit(live), "replay")
        assert.strictEqual(yield* admit(sent), "rewound")
        assert.strictEqual(yield* admit({ ...sent, seq: 2 }), "replay")
        assert.strictEqual(yield* admit({ ...sent, seq: 3 }), "new")
      })
    )
  })
