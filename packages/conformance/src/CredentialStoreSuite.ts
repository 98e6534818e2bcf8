/** What `CredentialStore` promises: spares are taken once, secrets are erased. */
import { assert } from "@effect/vitest"
import { CredentialStore, NodeStateStore, SubscriptionStore, Transaction, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aNode, anId, anInbound, aSecret, aSubscription, draft, entry, hour, noon, report } from "./World.ts"

/** Makes a subscription with a spare, as creating one does. */
const taking = Effect.fnUntraced(function* (inboundIds: ReadonlyArray<string> = [], now = noon) {
  const credentials = yield* CredentialStore.CredentialStore
  const subscriptions = yield* SubscriptionStore.SubscriptionStore
  const transaction = yield* Transaction.Transaction
  return yield* transaction.run(
    Effect.gen(function* () {
      const id = anId()
      const ref = yield* credentials.take(id, inboundIds, now)
      if (ref !== null) yield* subscriptions.insert(draft(ref, { id, link: id, inboundIds }))
      return ref
    })
  )
})

/** A node with an inbound whose reports come. */
const anActiveNode = Effect.gen(function* () {
  const node = yield* aNode()
  const inbound = yield* anInbound(node.id)
  yield* report({ node, spool: anId(), seq: 1, to: noon, entries: [] })
  return { node, inbound }
})

/** Lets a node be told of these spares, and say that it serves them. */
const confirm = Effect.fnUntraced(function* (nodeId: string, refs: ReadonlyArray<number>) {
  const nodeStates = yield* NodeStateStore.NodeStateStore
  yield* nodeStates.markSpares(refs)
  yield* nodeStates.assign
  const { generation, revision } = yield* nodeStates.head(nodeId)
  const said = { outcome: "applied", detail: null, certificates: [], agentVersion: "1", planeVersion: null } as const
  yield* nodeStates.recordApplied(nodeId, { generation, revision, ...said }, "1.0", noon)
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`CredentialStore (${name})`, stores, (it) => {
    it.effect("gives every credential a number of its own", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const refs = [
          ...(yield* credentials.insert([aSecret(), aSecret()], true)),
          ...(yield* credentials.insert([aSecret()], false))
        ]
        assert.strictEqual(new Set(refs).size, 3)
        assert.deepStrictEqual(yield* credentials.insert([], true), [])
      })
    )

    it.effect("answers null when the pool is empty", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const transaction = yield* Transaction.Transaction
        yield* credentials.insert([aSecret()], false)
        const drained = yield* transaction
          .run(
            Effect.gen(function* () {
              const { spares } = yield* credentials.pool(noon)
              for (let taken = 0; taken < spares; taken++) assert.isNotNull(yield* credentials.take(anId(), [], noon))
              assert.strictEqual(yield* credentials.take(anId(), [], noon), null)
              assert.strictEqual((yield* credentials.pool(noon)).spares, 0)
              return yield* Effect.fail("rolled back")
            })
          )
          .pipe(Effect.flip)
        assert.strictEqual(drained, "rolled back")
      })
    )

    it.effect("gives a spare to one subscription only, however many ask at once", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        yield* credentials.insert(Array.from({ length: 12 }, aSecret), true)
        const taken = yield* Effect.replicateEffect(taking(), 12, { concurrency: "unbounded" })
        assert.notInclude(taken, null)
        assert.strictEqual(new Set(taken).size, 12)
      })
    )

    it.effect("puts a spare back when the creation is rolled back", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const transaction = yield* Transaction.Transaction
        yield* credentials.insert([aSecret()], true)
        const { spares } = yield* credentials.pool(noon)
        yield* Effect.exit(transaction.run(Effect.andThen(credentials.take(anId(), [], noon), Effect.fail("no"))))
        assert.strictEqual((yield* credentials.pool(noon)).spares, spares)
      })
    )

    it.effect("prefers a spare that every active node has confirmed", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const { node, inbound } = yield* anActiveNode
        const [, confirmed] = yield* credentials.insert([aSecret(), aSecret(), aSecret()], true)
        yield* confirm(node.id, [confirmed!])
        assert.strictEqual(yield* taking([inbound.id]), confirmed)
      })
    )

    it.effect("takes any spare rather than none when a node has confirmed none", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const { inbound } = yield* anActiveNode
        yield* credentials.insert([aSecret()], true)
        assert.isNotNull(yield* taking([inbound.id]))
      })
    )

    it.effect("does not wait for the word of a node that is away", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const [here, away] = [yield* anActiveNode, yield* aNode()]
        const remote = yield* anInbound(away.id)
        const [, confirmed] = yield* credentials.insert([aSecret(), aSecret()], true)
        yield* confirm(here.node.id, [confirmed!])
        assert.strictEqual(yield* taking([here.inbound.id, remote.id]), confirmed)
      })
    )

    it.effect("names what was taken since a moment, retired or not", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const [early, late] = yield* credentials.insert([aSecret(), aSecret()], false)
        yield* credentials.assign(early!, anId(), noon)
        yield* credentials.assign(late!, anId(), noon + 1)
        yield* credentials.retire(late!, noon + 2)
        const taken = yield* credentials.takenSince(noon)
        assert.include(taken, late!)
        assert.notInclude(taken, early!)
      })
    )

    it.effect("counts spares, credentials in waiting, and what a week takes", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const now = noon + 1000 * 24 * hour
        const before = yield* credentials.pool(now)
        yield* credentials.insert([aSecret(), aSecret(), aSecret()], true)
        assert.deepStrictEqual(yield* credentials.pool(now), { ...before, spares: before.spares + 3 })
        yield* taking([], now - 6 * 24 * hour)
        yield* taking([], now - 8 * 24 * hour)
        const counted = { ...before, spares: before.spares + 1, takenLastWeek: before.takenLastWeek + 1 }
        assert.deepStrictEqual(yield* credentials.pool(now), counted)
      })
    )

    it.effect("keeps a credential from the nodes until it is released", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const made = yield* aSubscription({ inboundIds: [inbound.id] })
        const secret = aSecret()
        const [ref] = yield* credentials.insert([secret], false)
        yield* credentials.assign(ref!, made.id, noon)
        yield* subscriptions.update({ ...made, credential: ref! })
        const told = Effect.map(nodeStates.load(node.id, null), (facts) =>
          facts.credentials.find((each) => each.ref === ref)
        )
        assert.isUndefined(yield* told)
        assert.isAtLeast((yield* credentials.pool(noon)).unreleased, 1)
        assert.include(yield* credentials.release, ref)
        assert.deepStrictEqual(Array.from((yield* told)!.secret), Array.from(secret))
        assert.strictEqual((yield* credentials.pool(noon)).unreleased, 0)
        assert.deepStrictEqual(yield* credentials.release, [])
      })
    )

    it.effect("ends a credential for ever, and still knows whose bytes come late", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const usage = yield* UsageStore.UsageStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const { id, credential } = yield* aSubscription({ inboundIds: [inbound.id] })
        const [spare] = yield* credentials.insert([aSecret()], true)
        yield* credentials.retire(credential, noon)
        yield* credentials.retire(spare!, noon)
        const { credentials: told } = yield* nodeStates.load(node.id, null)
        assert.isUndefined(told.find(({ ref }) => ref === credential || ref === spare))
        const entries = [entry(credential, inbound.ref, 1n), entry(spare!, inbound.ref, 1n), entry(0, inbound.ref, 1n)]
        const facts = yield* usage.facts(node.id, { spool: anId(), seq: 1, from: noon, to: noon, entries }, noon)
        assert.deepStrictEqual(
          [facts.credentials.get(credential), facts.credentials.get(spare!), facts.credentials.has(0)],
          [id, null, false]
        )
      })
    )
  })
