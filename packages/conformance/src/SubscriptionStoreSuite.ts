/** What `SubscriptionStore` promises. */
import { assert } from "@effect/vitest"
import {
  BucketStore,
  CredentialStore,
  InventoryStore,
  type SubscriptionList,
  SubscriptionStore,
  Transaction,
  Usage,
  UsageStore
} from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import {
  aNode,
  anId,
  anInbound,
  aSecret,
  aSubscription,
  aUser,
  configFacts,
  draft,
  entry,
  hour,
  noon,
  report,
  settled
} from "./World.ts"

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`SubscriptionStore (${name})`, stores, (it) => {
    it.effect("counts what a user owns, without the deleted", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const [ann, bob] = [yield* aUser(), yield* aUser()]
        assert.strictEqual(yield* subscriptions.countOwned(ann), 0)
        const [first, second] = [yield* aSubscription({ ownerId: ann }), yield* aSubscription({ ownerId: ann })]
        yield* aSubscription({ ownerId: bob })
        yield* aSubscription()
        assert.strictEqual(yield* subscriptions.countOwned(ann), 2)
        yield* subscriptions.delete(first.id, noon)
        assert.strictEqual(yield* subscriptions.countOwned(ann), 1)
        yield* subscriptions.update({ ...second, ownerId: bob })
        assert.strictEqual(yield* subscriptions.countOwned(ann), 0)
        assert.strictEqual(yield* subscriptions.countOwned(bob), 2)
      })
    )

    it.effect("keeps a subscription as it is, its largest numbers and its links", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const node = yield* aNode()
        const inboundIds = [(yield* anInbound(node.id, 1)).id, (yield* anInbound(node.id, 2)).id].sort()
        const made = yield* aSubscription({
          inboundIds,
          ownerId: yield* aUser(),
          title: "Ann's phone {{ 1 }} ‮",
          description: "'; --",
          expiresAt: noon + hour,
          maxTraffic: 2n ** 63n - 1n,
          maxSpeed: 2n ** 53n + 1n
        })
        const found = (yield* subscriptions.get(made.id))!
        assert.deepStrictEqual({ ...found, inboundIds: [...found.inboundIds].sort() }, made)
        assert.strictEqual(yield* subscriptions.get(anId()), null)
      })
    )

    it.effect("refuses a link that another subscription has", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const [one, two] = [yield* aSubscription(), yield* aSubscription()]
        const again = yield* Effect.flip(subscriptions.insert(draft(two.credential, { link: one.link })))
        assert.deepInclude(again.reason, { _tag: "AlreadyExists", field: "link" })
        const moved = yield* Effect.flip(subscriptions.update({ ...two, link: one.link }))
        assert.deepInclude(moved.reason, { _tag: "AlreadyExists", field: "link" })
        assert.strictEqual((yield* configFacts(one.link))?.id, one.id)
      })
    )

    it.effect("lists by owner, page by page", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const ownerId = yield* aUser()
        const made = (yield* Effect.replicateEffect(aSubscription({ ownerId }), 3)).map(({ id }) => id).sort()
        const orphan = yield* aSubscription()
        const ids = (filter: SubscriptionList.Filter, id: string | null, limit: number) =>
          Effect.map(subscriptions.list(filter, { after: id === null ? null : { key: null, id }, limit }), (page) =>
            page.map((each) => each.id)
          )
        assert.deepStrictEqual(yield* ids({ ownerId }, null, 2), made.slice(0, 2))
        assert.deepStrictEqual(yield* ids({ ownerId }, made[1]!, 2), made.slice(2))
        const unowned = yield* ids({ ownerId: null }, null, 10_000)
        assert.include(unowned, orphan.id)
        assert.notInclude(unowned, made[0])
        assert.includeMembers(yield* ids({}, null, 10_000), [...made, orphan.id])
      })
    )

    it.effect("changes a row without touching its links", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const inbound = yield* anInbound((yield* aNode()).id)
        const made = yield* aSubscription({ inboundIds: [inbound.id] })
        const after = { ...made, title: "new", isSuspended: true, link: `rotated-${made.id}`, updatedAt: noon + hour }
        yield* subscriptions.update({ ...after, inboundIds: [] })
        assert.deepStrictEqual(yield* subscriptions.get(made.id), after)
        assert.strictEqual(yield* configFacts(made.link), null)
        assert.strictEqual((yield* configFacts(after.link))?.id, made.id)
      })
    )

    it.effect("remembers for late reports what was ever linked", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const node = yield* aNode()
        const [old, next] = [yield* anInbound(node.id, 1), yield* anInbound(node.id, 2)]
        const never = yield* anInbound(node.id, 3)
        const { id, credential } = yield* aSubscription({ inboundIds: [old.id] })
        yield* subscriptions.setInbounds(id, [next.id], noon)
        assert.deepStrictEqual((yield* subscriptions.get(id))!.inboundIds, [next.id])
        yield* subscriptions.setInbounds(id, [next.id], noon + 1)
        const entries = [old, next, never].map(({ ref }) => entry(credential, ref, 1n))
        const { settlement } = yield* settled({ node, spool: anId(), seq: 1, to: noon + hour, entries })
        assert.sameMembers(
          settlement!.rows.map(({ inboundId }) => inboundId),
          [old.id, next.id]
        )
        assert.deepStrictEqual(
          settlement!.quarantined.map(({ entry: { inbound }, reason }) => [inbound, reason]),
          [[never.ref, "never_linked"]]
        )
      })
    )

    it.effect("links one inbound to many and unlinks it from others at once, and makes what it changes newer", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const node = yield* aNode()
        const [inbound, other] = [yield* anInbound(node.id, 1), yield* anInbound(node.id, 2)]
        const [fresh, linked, left, gone] = [
          yield* aSubscription({ inboundIds: [other.id] }),
          yield* aSubscription({ inboundIds: [inbound.id] }),
          yield* aSubscription({ inboundIds: [inbound.id, other.id], updatedAt: noon + hour }),
          yield* aSubscription()
        ]
        yield* subscriptions.delete(gone.id, noon)
        const link = [fresh.id, linked.id, gone.id, anId()]
        yield* subscriptions.linkInbound(inbound.id, { link, unlink: [left.id] }, noon + hour)
        const all = [fresh.id, linked.id, left.id]
        const after = new Map(
          (yield* subscriptions.byIds([...all, gone.id, anId(), ...all])).map((each) => [each.id, each])
        )
        assert.strictEqual(after.size, 3)
        assert.deepStrictEqual(
          all.map((id) => [after.get(id)!.inboundIds, after.get(id)!.updatedAt]),
          [
            [[inbound.id, other.id].sort(), noon + hour],
            [[inbound.id], noon],
            [[other.id], noon + hour + 1]
          ]
        )
        assert.deepStrictEqual(after.get(left.id), yield* subscriptions.get(left.id))
        const late = [entry(left.credential, inbound.ref, 1n), entry(fresh.credential, inbound.ref, 1n)]
        const { settlement } = yield* report({ node, spool: anId(), seq: 1, to: noon + 2 * hour, entries: late })
        assert.deepStrictEqual(settlement!.quarantined, [])
        yield* subscriptions.linkInbound(inbound.id, { link: [left.id], unlink: [] }, noon + 2 * hour)
        assert.deepStrictEqual((yield* subscriptions.get(left.id))!.inboundIds, [inbound.id, other.id].sort())
        assert.deepStrictEqual(yield* subscriptions.byIds([]), [])
      })
    )

    it.effect("remembers who owned it when", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const usage = yield* UsageStore.UsageStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const [ann, bob] = [yield* aUser(), yield* aUser()]
        const { id, credential } = yield* aSubscription({ ownerId: ann, inboundIds: [inbound.id] })
        yield* subscriptions.recordOwner(id, bob, noon)
        yield* subscriptions.recordOwner(id, null, noon + hour)
        const ownerAt = Effect.fnUntraced(function* (to: number) {
          const batch = { spool: anId(), seq: 1, from: to, to, entries: [entry(credential, inbound.ref, 1n)] }
          const facts = yield* usage.facts(node.id, batch, to)
          const owner = Usage.historyAt(facts.subscriptions.get(id)!.owners, to)!
          assert.strictEqual(owner === null || facts.owners.has(owner), true)
          return owner
        })
        const seen = [yield* ownerAt(noon - hour), yield* ownerAt(noon), yield* ownerAt(noon + 1)]
        assert.deepStrictEqual([...seen, yield* ownerAt(noon + hour)], [ann, ann, bob, bob])
        assert.strictEqual(yield* ownerAt(noon + hour + 1), null)
      })
    )

    it.effect("erases at once what a person typed when it is deleted, and still counts its late bytes", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const credentials = yield* CredentialStore.CredentialStore
        const buckets = yield* BucketStore.BucketStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const ownerId = yield* aUser()
        const made = yield* aSubscription({ ownerId, title: "Ann", inboundIds: [inbound.id] })
        yield* credentials.retire(made.credential, noon)
        yield* subscriptions.delete(made.id, noon)
        assert.strictEqual(yield* subscriptions.get(made.id), null)
        assert.strictEqual(yield* configFacts(made.link), null)
        assert.deepStrictEqual(yield* subscriptions.list({ ownerId }, { after: null, limit: 10 }), [])
        const late = [entry(made.credential, inbound.ref, 7n)]
        const { settlement } = yield* report({ node, spool: anId(), seq: 1, to: noon, entries: late })
        assert.deepStrictEqual(settlement!.quarantined, [])
        const [owner] = yield* buckets.read([{ kind: "owner", id: ownerId }])
        assert.strictEqual(owner!.used, 7000n)
      })
    )

    it.effect("reads all that a config needs", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const credentials = yield* CredentialStore.CredentialStore
        const inventory = yield* InventoryStore.InventoryStore
        const node = yield* aNode()
        const [on, off] = [yield* anInbound(node.id, 1), yield* anInbound(node.id, 2, 1337)]
        yield* inventory.updateInbound({ ...off, isActive: false })
        const ownerId = yield* aUser()
        const made = yield* aSubscription({ ownerId, inboundIds: [on.id, off.id] }, { maxTraffic: 99n })
        const [credential] = yield* credentials.insert([aSecret()], true)
        const secret = aSecret()
        const [second] = yield* credentials.insert([secret], true)
        yield* credentials.assign(second!, made.id, noon)
        yield* subscriptions.update({ ...made, credential: second! })
        const entries = [entry(made.credential, on.ref, 5n, 6n), entry(second!, off.ref, 1n, 2n)]
        yield* report({ node, spool: anId(), seq: 1, to: noon, entries })
        const facts = (yield* configFacts(made.link))!
        assert.notStrictEqual(credential, second)
        assert.deepStrictEqual(Array.from(facts.credentialSecret), Array.from(secret))
        assert.deepStrictEqual([facts.up, facts.down], [6n, 8n])
        assert.deepInclude(facts, { id: made.id, ownerId, maxTraffic: 99n, ownExhaustedUntil: null })
        const known = [on, { ...off, isActive: false }]
        assert.deepStrictEqual([...facts.inbounds], known[0]!.id < known[1]!.id ? known : known.reverse())
        assert.strictEqual(yield* configFacts("nothing-of-the-kind"), null)
      })
    )

    it.effect("reads what many configs need at once, in the order they were asked for", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const buckets = yield* BucketStore.BucketStore
        const ownerId = yield* aUser()
        const [own, owned, free] = [yield* aSubscription(), yield* aSubscription({ ownerId }), yield* aSubscription()]
        yield* buckets.flip([
          { kind: "subscription", id: own.id, exhaustedUntil: noon + hour },
          { kind: "owner", id: ownerId, exhaustedUntil: noon + 2 * hour }
        ])
        const links = [owned.link, "nobody's", free.link, own.link, owned.link, ""]
        const found = yield* subscriptions.forConfigs(links)
        assert.deepStrictEqual(
          found.map((facts) => facts && [facts.id, facts.ownExhaustedUntil, facts.ownerExhaustedUntil]),
          [
            [owned.id, null, noon + 2 * hour],
            null,
            [free.id, null, null],
            [own.id, noon + hour, null],
            [owned.id, null, noon + 2 * hour],
            null
          ]
        )
        assert.deepStrictEqual(yield* subscriptions.forConfigs([]), [])
      })
    )

    it.effect("reads inbounds as they are, whoever changed them, and whatever was rolled back", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const transaction = yield* Transaction.Transaction
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const made = yield* aSubscription({ inboundIds: [inbound.id] })
        const read = Effect.map(configFacts(made.link), (facts) => facts!.inbounds[0]!)
        const change = (host: string) => inventory.updateInbound({ ...inbound, host })
        assert.strictEqual((yield* read).host, inbound.host)
        const undone = transaction.run(
          Effect.gen(function* () {
            yield* change("undone.example.org")
            assert.strictEqual((yield* read).host, "undone.example.org")
            return yield* Effect.fail("rolled back")
          })
        )
        assert.strictEqual(yield* Effect.flip(undone), "rolled back")
        assert.strictEqual((yield* read).host, inbound.host)
        yield* change("changed.example.org")
        assert.strictEqual((yield* read).host, "changed.example.org")
        yield* inventory.storeCertificates(node.id, [{ inbound: inbound.ref, pem: "a certificate" }])
        assert.strictEqual((yield* read).certificate, "a certificate")
        yield* transaction.run(
          Effect.andThen(change("first.example.org"), Effect.andThen(read, change("last.example.org")))
        )
        assert.strictEqual((yield* read).host, "last.example.org")
      })
    )
  })
