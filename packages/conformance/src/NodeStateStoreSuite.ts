/** What `NodeStateStore` promises: what changed is told, to whom it concerns, after it was committed. */
import { assert } from "@effect/vitest"
import { BucketStore, CredentialStore, NodeStateStore, SubscriptionStore, Transaction } from "@vpnmgr/core"
import { Deferred, Effect, Fiber, Stream } from "effect"
import type { Capabilities, StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import {
  aNode,
  anId,
  anInbound,
  aSecret,
  aSubscription,
  aUser,
  bucketOf,
  entry,
  hour,
  january,
  noon,
  report
} from "./World.ts"

/** Two nodes with an inbound each, and a subscription linked on the first. */
const aScene = Effect.gen(function* () {
  const [here, there] = [yield* aNode(), yield* aNode()]
  const [near, far] = [yield* anInbound(here.id), yield* anInbound(there.id)]
  const ownerId = yield* aUser()
  const subscription = yield* aSubscription({ ownerId, inboundIds: [near.id], expiresAt: noon + hour })
  return { here, there, near, far, ownerId, subscription }
})

/** Lets what is marked be assigned; answers the nodes that got a revision. */
const assigned = Effect.gen(function* () {
  const nodeStates = yield* NodeStateStore.NodeStateStore
  return (yield* nodeStates.assign).map(({ nodeId }) => nodeId)
})

const revision = Effect.fnUntraced(function* (nodeId: string) {
  const nodeStates = yield* NodeStateStore.NodeStateStore
  return (yield* nodeStates.head(nodeId)).revision
})

const refs = (items: ReadonlyArray<{ readonly ref: number }>) => items.map(({ ref }) => ref).sort((a, b) => a - b)

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer, { sideBySide }: Capabilities): void =>
  describeStore(`NodeStateStore (${name})`, stores, (it) => {
    it.effect("gives a new revision to each node that something was marked for, and to no other", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { here, there, subscription } = yield* aScene
        assert.strictEqual(yield* revision(here.id), 0)
        yield* nodeStates.markSubscriptions([subscription.id])
        const nodes = yield* assigned
        assert.include(nodes, here.id)
        assert.notInclude(nodes, there.id)
        assert.deepStrictEqual([yield* revision(here.id), yield* revision(there.id)], [1, 0])
        assert.notInclude(yield* assigned, here.id)
        yield* nodeStates.markSubscriptions([subscription.id])
        yield* nodeStates.markBuckets([{ kind: "subscription", id: subscription.id }])
        assert.include(yield* assigned, here.id)
        assert.strictEqual(yield* revision(here.id), 2)
      })
    )

    it.effect("allots one revision however many assign at once", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { here, subscription } = yield* aScene
        yield* nodeStates.markSubscriptions([subscription.id])
        const answers = yield* Effect.replicateEffect(assigned, 5, { concurrency: "unbounded" })
        assert.strictEqual(answers.flat().filter((nodeId) => nodeId === here.id).length, 1)
        assert.strictEqual(yield* revision(here.id), 1)
      })
    )

    it.effect("never tells of a change that was rolled back", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const transaction = yield* Transaction.Transaction
        const { here, subscription } = yield* aScene
        const marked = nodeStates.markSubscriptions([subscription.id])
        yield* Effect.exit(transaction.run(Effect.andThen(marked, Effect.fail("no"))))
        assert.notInclude(yield* assigned, here.id)
      })
    )

    it.effect(
      "says whose config may be another one, in pieces where there are many, and of many subscriptions at once",
      () =>
        Effect.gen(function* () {
          const nodeStates = yield* NodeStateStore.NodeStateStore
          const transaction = yield* Transaction.Transaction
          const { near, ownerId, subscription } = yield* aScene
          while (!(yield* nodeStates.isListening)) yield* Effect.sleep(20)
          const heard: Array<string> = []
          yield* nodeStates.hearChanges((what) =>
            heard.push(...(what.kind === "everything" ? [what.kind] : what.ids.map((id) => `${what.kind} ${id}`)))
          )
          /** Runs it and waits until everything expected was told after the commit, too. */
          const tells = Effect.fnUntraced(function* (
            change: Effect.Effect<void, Transaction.StoreError>,
            expected: ReadonlyArray<string>
          ) {
            heard.length = 0
            yield* transaction.run(
              Effect.gen(function* () {
                yield* change
                yield* Effect.sleep(30)
                heard.length = 0
              })
            )
            yield* Effect.gen(function* () {
              while (!expected.every((each) => heard.includes(each))) yield* Effect.sleep(5)
            }).pipe(Effect.timeout("5 seconds"))
          })
          yield* tells(nodeStates.markSubscriptions([subscription.id]), [`subscription ${subscription.id}`])
          yield* tells(
            nodeStates.markBuckets([
              { kind: "owner", id: ownerId },
              { kind: "subscription", id: subscription.id }
            ]),
            [`owner ${ownerId}`, `subscription ${subscription.id}`]
          )
          yield* tells(nodeStates.markInbounds([near.id], { roster: false }), ["everything"])
          const many = Array.from({ length: 1000 }, anId)
          yield* tells(
            nodeStates.markSubscriptions(many),
            many.map((id) => `subscription ${id}`)
          )
          const linkless = yield* aSubscription()
          yield* tells(nodeStates.markSubscriptions([linkless.id]), [`subscription ${linkless.id}`])
        }).pipe(Effect.scoped)
    )

    const sideBySideOnly = sideBySide ? it.effect : undefined
    sideBySideOnly?.("never tells of a change before it is committed", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const transaction = yield* Transaction.Transaction
        const { here, subscription } = yield* aScene
        const [marked, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const open = yield* nodeStates
          .markSubscriptions([subscription.id])
          .pipe(
            Effect.andThen(Deferred.succeed(marked, undefined)),
            Effect.andThen(Deferred.await(released)),
            transaction.run,
            Effect.forkChild
          )
        yield* Deferred.await(marked)
        assert.notInclude(yield* Effect.timeout(assigned, "5 seconds"), here.id)
        yield* Deferred.succeed(released, undefined)
        yield* Fiber.join(open)
        assert.include(yield* assigned, here.id)
      })
    )

    it.effect("announces marks after their commit, and the nodes that got a revision", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { here, subscription } = yield* aScene
        assert.isBoolean(yield* nodeStates.isListening)
        const dirtied = yield* nodeStates.dirtied.pipe(Stream.take(1), Stream.runDrain, Effect.forkChild)
        const told = yield* nodeStates.assigned.pipe(
          Stream.filter((nodeId) => nodeId === here.id),
          Stream.take(1),
          Stream.runDrain,
          Effect.forkChild
        )
        yield* Effect.sleep("250 millis")
        yield* nodeStates.markSubscriptions([subscription.id])
        yield* Effect.timeout(Fiber.join(dirtied), "3 seconds")
        yield* nodeStates.assign
        yield* Effect.timeout(Fiber.join(told), "3 seconds")
      })
    )

    it.effect("tells a node everything it must know, and nothing of what is served elsewhere", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const credentials = yield* CredentialStore.CredentialStore
        const buckets = yield* BucketStore.BucketStore
        const { here, there, near, ownerId, subscription } = yield* aScene
        const [own, owner] = yield* buckets.read([
          { kind: "subscription", id: subscription.id },
          { kind: "owner", id: ownerId }
        ])
        yield* buckets.flip([{ kind: "owner", id: ownerId, exhaustedUntil: Number.POSITIVE_INFINITY }])
        const secret = aSecret()
        const [spare] = yield* credentials.insert([secret], true)
        const facts = yield* nodeStates.load(here.id, null)
        assert.strictEqual(facts.changed, null)
        assert.deepStrictEqual([...facts.inbounds], [near])
        assert.deepStrictEqual(facts.credentials.find(({ ref }) => ref === subscription.credential)!.subscription, {
          isSuspended: false,
          expiresAt: noon + hour,
          inbounds: [near.ref],
          bucket: own!.ref,
          ownerBucket: owner!.ref
        })
        const known = facts.credentials.find(({ ref }) => ref === spare)!
        assert.deepStrictEqual([known.subscription, Array.from(known.secret)], [null, Array.from(secret)])
        assert.sameDeepMembers([...facts.buckets], [own!, { ...owner!, exhaustedUntil: Number.POSITIVE_INFINITY }])
        const elsewhere = yield* nodeStates.load(there.id, null)
        assert.notInclude(refs(elsewhere.credentials), subscription.credential)
        assert.include(refs(elsewhere.credentials), spare)
        assert.deepStrictEqual(elsewhere.buckets, [])
        assert.strictEqual(facts.generation, (yield* nodeStates.head(here.id)).generation)
      })
    )

    it.effect("tells in a difference only what changed since", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const { here, near, subscription } = yield* aScene
        const second = yield* aSubscription({ inboundIds: [near.id] })
        yield* nodeStates.markSubscriptions([subscription.id, second.id])
        yield* nodeStates.markInbounds([near.id], { roster: false })
        yield* assigned
        yield* subscriptions.update({ ...second, isSuspended: true })
        yield* nodeStates.markSubscriptions([second.id])
        yield* assigned
        const none = yield* nodeStates.load(here.id, 2)
        assert.deepStrictEqual(none.changed, { inbounds: [], credentials: [], buckets: [] })
        assert.deepStrictEqual([none.revision, none.credentials, none.buckets], [2, [], []])
        const one = yield* nodeStates.load(here.id, 1)
        assert.deepStrictEqual(one.changed!.credentials, [second.credential])
        assert.deepStrictEqual(refs(one.buckets), one.changed!.buckets)
        assert.isTrue(one.credentials[0]!.subscription!.isSuspended)
        assert.deepStrictEqual([one.changed!.inbounds, refs(one.inbounds)], [[], [near.ref]])
        const both = yield* nodeStates.load(here.id, 0)
        assert.includeMembers(refs(both.credentials), [subscription.credential, second.credential])
        assert.deepStrictEqual(both.changed!.inbounds, [near.ref])
      })
    )

    it.effect("tells the old node too that a subscription is no longer linked there", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const { here, there, far, subscription } = yield* aScene
        yield* nodeStates.markSubscriptions([subscription.id])
        yield* assigned
        yield* subscriptions.setInbounds(subscription.id, [far.id], noon)
        yield* nodeStates.markSubscriptions([subscription.id])
        assert.includeMembers(yield* assigned, [here.id, there.id])
        const facts = yield* nodeStates.load(here.id, 1)
        assert.include(facts.changed!.credentials, subscription.credential)
        assert.notInclude(refs(facts.credentials), subscription.credential)
        assert.deepStrictEqual(facts.buckets, [])
        const moved = yield* nodeStates.load(there.id, null)
        assert.deepInclude(moved.credentials.find(({ ref }) => ref === subscription.credential)!.subscription, {
          inbounds: [far.ref]
        })
      })
    )

    it.effect("tells of a credential that was rotated away, and of one that is deleted", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const credentials = yield* CredentialStore.CredentialStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const { here, subscription } = yield* aScene
        const [next] = yield* credentials.insert([aSecret()], true)
        yield* credentials.assign(next!, subscription.id, noon)
        yield* credentials.retire(subscription.credential, noon)
        yield* subscriptions.update({ ...subscription, credential: next! })
        yield* nodeStates.markSubscriptions([subscription.id])
        yield* nodeStates.markCredential(subscription.credential, subscription.id)
        yield* assigned
        const rotated = yield* nodeStates.load(here.id, 0)
        assert.includeMembers([...rotated.changed!.credentials], [subscription.credential, next!])
        assert.include(refs(rotated.credentials), next)
        assert.notInclude(refs(rotated.credentials), subscription.credential)
        yield* nodeStates.markSubscriptions([subscription.id])
        yield* credentials.retire(next!, noon)
        yield* subscriptions.delete(subscription.id, noon)
        yield* assigned
        const deleted = yield* nodeStates.load(here.id, 1)
        assert.include(deleted.changed!.credentials, next)
        assert.deepStrictEqual([refs(deleted.credentials), deleted.buckets], [[], []])
      })
    )

    it.effect("tells of an owner's bucket wherever somebody draws from it", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { here, there, far, ownerId, subscription } = yield* aScene
        const second = yield* aSubscription({ ownerId, inboundIds: [far.id] })
        const bystander = yield* aNode()
        yield* anInbound(bystander.id)
        yield* nodeStates.markBuckets([{ kind: "owner", id: ownerId }])
        const nodes = yield* assigned
        assert.includeMembers(nodes, [here.id, there.id])
        assert.notInclude(nodes, bystander.id)
        const facts = yield* nodeStates.load(there.id, 0)
        assert.deepStrictEqual(
          facts.buckets.map(({ kind, id }) => [kind, id]),
          [["owner", ownerId]]
        )
        yield* nodeStates.markBuckets([{ kind: "subscription", id: second.id }])
        const own = yield* assigned
        assert.include(own, there.id)
        assert.notInclude(own, here.id)
        yield* nodeStates.markBuckets([{ kind: "subscription", id: subscription.id }])
        assert.include(yield* assigned, here.id)
      })
    )

    it.effect("marks a node's whole roster when an inbound is new to it", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const credentials = yield* CredentialStore.CredentialStore
        const { here, there, subscription } = yield* aScene
        const [spare] = yield* credentials.insert([aSecret()], true)
        const added = yield* anInbound(here.id, 8443)
        yield* nodeStates.markInbounds([added.id], { roster: true })
        const nodes = yield* assigned
        assert.include(nodes, here.id)
        assert.notInclude(nodes, there.id)
        const facts = yield* nodeStates.load(here.id, 0)
        assert.deepStrictEqual(facts.changed!.inbounds, [added.ref])
        assert.includeMembers(refs(facts.credentials), [subscription.credential, spare!])
      })
    )

    it.effect("marks spares on every node that has an inbound", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const credentials = yield* CredentialStore.CredentialStore
        const { here, there } = yield* aScene
        const bare = yield* aNode()
        const [spare] = yield* credentials.insert([aSecret()], true)
        yield* nodeStates.markSpares([spare!])
        const nodes = yield* assigned
        assert.includeMembers(nodes, [here.id, there.id])
        assert.notInclude(nodes, bare.id)
        assert.deepStrictEqual((yield* nodeStates.load(there.id, 0)).changed!.credentials, [spare!])
      })
    )

    it.effect("names the newest batch that is inside what it tells", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { here, there, near, subscription } = yield* aScene
        assert.strictEqual((yield* nodeStates.load(here.id, null)).asOf, null)
        const spool = anId()
        const entries = [entry(subscription.credential, near.ref, 5n)]
        for (const seq of [1, 2]) yield* report({ node: here, spool, seq, to: noon, entries })
        const facts = yield* nodeStates.load(here.id, null)
        assert.deepStrictEqual(facts.asOf, { spool, seq: 2 })
        const own = facts.buckets.find(({ id }) => id === subscription.id)
        assert.strictEqual(own!.used, 10_000n)
        assert.strictEqual((yield* nodeStates.load(there.id, null)).asOf, null)
      })
    )

    it.effect("tells of windows without end", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const buckets = yield* BucketStore.BucketStore
        const { here, subscription } = yield* aScene
        const key = { kind: "subscription", id: subscription.id } as const
        const [stored] = yield* buckets.read([key])
        const endless = { start: january.start, end: Number.POSITIVE_INFINITY }
        const after = { ...bucketOf(key.kind, key.id), ref: stored!.ref, period: null, window: endless }
        yield* buckets.save([{ ...after, exhaustedUntil: Number.POSITIVE_INFINITY }])
        const facts = yield* nodeStates.load(here.id, null)
        const told = facts.buckets.find(({ id }) => id === subscription.id)!
        assert.deepStrictEqual(told, { ...after, exhaustedUntil: Number.POSITIVE_INFINITY })
      })
    )
  })
