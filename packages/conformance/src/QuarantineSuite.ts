/** What the core's `Quarantine` does on a store: an entry is counted once, as its report would have been, or not at all. */
import { assert } from "@effect/vitest"
import {
  Actor,
  AuditLog,
  BucketStore,
  Quarantine,
  QuarantineStore,
  RecordStore,
  SubscriptionStore,
  type TrafficReport
} from "@vpnmgr/core"
import { Effect, Exit, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Stores, StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import type { NodeWithToken } from "./World.ts"
import {
  aNode,
  anId,
  anInbound,
  aSubscription,
  aUser,
  entry,
  folded,
  hour,
  january,
  noon,
  report,
  usedIn
} from "./World.ts"

const page = { after: null, limit: 100 }

const quarantine = Quarantine.Quarantine.layer.pipe(Layer.provide(SecureRandom.layerWebCrypto))

const run = <A, E>(
  effect: Effect.Effect<A, E, Stores | Quarantine.Quarantine | Actor.Actor>,
  actor: Actor.ActorShape = Actor.system
) => effect.pipe(Effect.provideService(Actor.Actor, actor), Effect.provide(quarantine))

/** A slow node with an inbound that weighs 1.337, and a subscription that changed hands after noon. */
const aScene = Effect.fnUntraced(function* (maxTraffic: bigint | null = null) {
  const subscriptions = yield* SubscriptionStore.SubscriptionStore
  const node = yield* aNode(8000n)
  const inbound = yield* anInbound(node.id, 443, 1337)
  const [ownerId, laterId] = [yield* aUser(), yield* aUser()]
  const { id, credential } = yield* aSubscription({ ownerId, inboundIds: [inbound.id] }, { maxTraffic })
  yield* subscriptions.recordOwner(id, laterId, noon + hour)
  return { node, inbound, ownerId, laterId, id, credential }
})

/** Reports an entry for the hour before noon, and answers what the quarantine made of it. */
const doubted = Effect.fnUntraced(function* (node: NodeWithToken, what: TrafficReport.Entry) {
  const store = yield* QuarantineStore.QuarantineStore
  yield* report({ node, spool: anId(), seq: 1, to: noon, entries: [what] })
  const [found] = yield* store.list({ nodeId: node.id, state: "open" }, page)
  return found!
})

const fast = 2n ** 40n

const refusal = Effect.fnUntraced(function* (id: string, attribution: Quarantine.Attribution = {}) {
  const { apply } = yield* Quarantine.Quarantine
  const failure = yield* Effect.flip(apply(id, attribution))
  return failure._tag === "Invalid" ? failure.field : failure._tag
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`Quarantine (${name})`, stores, (it) => {
    it.effect("counts an entry for the owner, the window and the multiplier of its interval", () =>
      Effect.gen(function* () {
        const { apply } = yield* Quarantine.Quarantine
        const records = yield* RecordStore.RecordStore
        const audit = yield* AuditLog.AuditStore
        const { node, inbound, ownerId, laterId, id, credential } = yield* aScene()
        const found = yield* doubted(node, entry(credential, inbound.ref, fast, 5n))
        assert.strictEqual(found.reason, "faster_than_link")
        assert.strictEqual(yield* usedIn("subscription", id), 0n)

        const applied = yield* apply(found.id, {})
        const weighed = (fast + 5n) * 1337n
        assert.deepInclude(applied, {
          state: "applied",
          resolvedBy: Actor.system.id,
          subscriptionId: id,
          inboundId: inbound.id
        })
        assert.strictEqual(yield* usedIn("subscription", id), weighed)
        assert.strictEqual(yield* usedIn("owner", ownerId), weighed)
        assert.strictEqual(yield* usedIn("owner", laterId), 0n)
        const [row] = yield* records.trafficReports({ subscriptionId: id }, page)
        assert.deepInclude(row, { nodeId: node.id, from: noon - hour, timestamp: noon, bytesUp: fast, bytesDown: 5n })
        yield* folded
        const [use] = yield* records.accessLog({ subscriptionId: id }, page)
        assert.deepInclude(use, { authTokenId: node.tokenId, timestamp: noon - hour, bytesUp: fast })
        const [trail] = yield* audit.list({ targetId: found.id }, page)
        assert.deepInclude(trail, { action: "quarantine.apply", targetType: "quarantine" })
        assert.deepInclude(trail?.meta, { bytes_up: String(fast), subscription_id: id, reason: "faster_than_link" })
      }).pipe(run)
    )

    it.effect("counts it once, whoever comes at the same time", () =>
      Effect.gen(function* () {
        const { apply, dismiss } = yield* Quarantine.Quarantine
        const { node, inbound, id, credential } = yield* aScene()
        const found = yield* doubted(node, entry(credential, inbound.ref, fast))
        const tries = yield* Effect.all(
          Array.from({ length: 4 }, () => Effect.exit(apply(found.id, {}))),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(tries.filter(Exit.isSuccess).length, 1)
        assert.strictEqual(yield* usedIn("subscription", id), fast * 1337n)
        assert.strictEqual(yield* refusal(found.id), "id")
        assert.strictEqual((yield* Effect.flip(dismiss(found.id)))._tag, "Invalid")
        assert.strictEqual(yield* usedIn("subscription", id), fast * 1337n)
      }).pipe(run)
    )

    it.effect("exhausts the bucket as a report would", () =>
      Effect.gen(function* () {
        const { apply } = yield* Quarantine.Quarantine
        const buckets = yield* BucketStore.BucketStore
        const audit = yield* AuditLog.AuditStore
        const { node, inbound, id, credential } = yield* aScene(1000n)
        const found = yield* doubted(node, entry(credential, inbound.ref, fast))
        yield* apply(found.id, {})
        const [bucket] = yield* buckets.read([{ kind: "subscription", id }])
        assert.strictEqual(bucket?.exhaustedUntil, january.end)
        const [flip] = yield* audit.list({ targetId: node.id, action: "bucket.exhaust" }, page)
        assert.deepStrictEqual(flip?.meta, { subscriptions: 1, owners: 0 })
      }).pipe(run)
    )

    it.effect("wants to be told what the numbers of an entry do not say", () =>
      Effect.gen(function* () {
        const { apply } = yield* Quarantine.Quarantine
        const { node, inbound, id, credential } = yield* aScene()
        const foreign = yield* anInbound((yield* aNode()).id)
        const unlinked = yield* anInbound(node.id, 444)

        const nobodys = yield* doubted(node, entry(2 ** 31 - 1, inbound.ref, 1n))
        assert.strictEqual(yield* refusal(nobodys.id), "subscription_id")
        assert.strictEqual(yield* refusal(nobodys.id, { subscriptionId: anId() }), "subscription_id")
        yield* apply(nobodys.id, { subscriptionId: id })

        const elsewhere = yield* doubted(node, entry(credential, foreign.ref, 2n))
        assert.strictEqual(yield* refusal(elsewhere.id), "inbound_id")
        assert.strictEqual(yield* refusal(elsewhere.id, { inboundId: foreign.id }), "inbound_id")
        assert.strictEqual(yield* refusal(elsewhere.id, { inboundId: anId() }), "inbound_id")
        yield* apply(elsewhere.id, { inboundId: inbound.id })

        const never = yield* doubted(node, entry(credential, unlinked.ref, 4n))
        assert.strictEqual(yield* refusal(never.id), "subscription_id")
        yield* apply(never.id, { subscriptionId: id, inboundId: unlinked.id })
        assert.strictEqual(yield* usedIn("subscription", id), 3n * 1337n + 4000n)
      }).pipe(run)
    )

    it.effect("never counts negative bytes, and counts nothing that was dismissed", () =>
      Effect.gen(function* () {
        const { apply, dismiss } = yield* Quarantine.Quarantine
        const audit = yield* AuditLog.AuditStore
        const { node, inbound, id, credential } = yield* aScene()
        const negative = yield* doubted(node, entry(credential, inbound.ref, -1n, 5n))
        assert.strictEqual(yield* refusal(negative.id, { subscriptionId: id, inboundId: inbound.id }), "id")
        const dismissed = yield* dismiss(negative.id)
        assert.strictEqual(dismissed.state, "dismissed")
        const [trail] = yield* audit.list({ targetId: negative.id }, page)
        assert.strictEqual(trail?.action, "quarantine.dismiss")

        const other = yield* doubted(node, entry(credential, inbound.ref, fast))
        yield* dismiss(other.id)
        assert.strictEqual(yield* refusal(other.id), "id")
        assert.strictEqual(yield* usedIn("subscription", id), 0n)
        const control = yield* doubted(node, entry(credential, inbound.ref, fast))
        yield* apply(control.id, {})
        assert.strictEqual(yield* usedIn("subscription", id), fast * 1337n)
      }).pipe(run)
    )

    it.effect("is for superusers", () =>
      Effect.gen(function* () {
        const { node, inbound, id, ownerId, credential } = yield* aScene()
        const found = yield* doubted(node, entry(credential, inbound.ref, fast))
        const operator = { id: ownerId, role: "operator" } as const
        const asked = yield* Effect.gen(function* () {
          const { apply, dismiss, get, list } = yield* Quarantine.Quarantine
          return yield* Effect.all([
            Effect.flip(apply(found.id, {})),
            Effect.flip(dismiss(found.id)),
            Effect.flip(get(found.id)),
            Effect.flip(list({}, page))
          ])
        }).pipe((effect) => run(effect, operator))
        for (const failure of asked) assert.strictEqual(failure._tag, "Forbidden")
        assert.strictEqual(yield* usedIn("subscription", id), 0n)
        assert.strictEqual(yield* refusal(anId()), "NotFound")
      }).pipe(run)
    )
  })
