/** What `InventoryStore` promises of lists, of what is deleted, and of what is known of a node's agent. */
import { assert } from "@effect/vitest"
import type { AuditLog, Inbound, Node } from "@vpnmgr/core"
import { InventoryStore, NodeStateStore, SubscriptionStore, Transaction } from "@vpnmgr/core"
import { Deferred, Effect, Fiber, Stream } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import {
  aNode,
  anId,
  anInbound,
  aSubscription,
  configFacts,
  entry,
  hour,
  inboundOn,
  noon,
  report,
  usedIn
} from "./World.ts"

const all: AuditLog.Page = { after: null, limit: 10_000 }

/** Stores a node with these fields. */
const aNodeWith = Effect.fnUntraced(function* (fields: Partial<Node.Node>) {
  const inventory = yield* InventoryStore.InventoryStore
  const made = yield* aNode()
  yield* inventory.updateNode({ ...(yield* inventory.node(made.id))!, ...fields })
  return made
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`InventoryStore, the fleet (${name})`, stores, (it) => {
    it.effect("lists the nodes that every filter fits, page by page", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const [geo, purpose] = [anId(), anId()]
        const one = yield* aNodeWith({ geo, purpose, description: "Frankfurt 1" })
        const two = yield* aNodeWith({ geo, purpose, description: "FRANKFURT 2 (100%)" })
        const three = yield* aNodeWith({ geo, purpose: null, description: null })
        yield* report({ node: two, spool: anId(), seq: 1, to: noon, entries: [] })
        const listed = (filter: Node.NodeFilter, page = all) =>
          Effect.map(inventory.listNodes(filter, page, noon), (nodes) => nodes.map(({ id }) => id))
        const ids = (...nodes: ReadonlyArray<{ readonly id: string }>) => nodes.map(({ id }) => id).sort()
        assert.deepStrictEqual(yield* listed({ geo }), ids(one, two, three))
        assert.deepStrictEqual(yield* listed({ geo, purpose }), ids(one, two))
        assert.deepStrictEqual(yield* listed({ geo, isActive: true }), ids(two))
        assert.deepStrictEqual(yield* listed({ geo, isActive: false }), ids(one, three))
        assert.deepStrictEqual(yield* listed({ geo, search: "frankfurt" }), ids(one, two))
        assert.deepStrictEqual(yield* listed({ geo, search: "0%)" }), ids(two))
        assert.deepStrictEqual(yield* listed({ geo, search: "%" }), ids(two))
        assert.deepStrictEqual(yield* listed({ geo: anId() }), [])
        const [first] = yield* listed({ geo }, { after: null, limit: 1 })
        const rest = yield* listed({ geo }, { after: first!, limit: 10 })
        assert.deepStrictEqual([first!, ...rest], ids(one, two, three))
      })
    )

    it.effect("lists the inbounds that every filter fits", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const [node, geo] = [yield* aNode(), anId()]
        const insert = (fields: Partial<Inbound.Inbound>) => {
          const inbound = { ...inboundOn(node.id, 443), geo, ...fields }
          return Effect.as(inventory.insertInbound(inbound), inbound.id)
        }
        const one = yield* insert({ host: "Fra-1.example.org", purpose: "p" })
        const two = yield* insert({ port: 444, host: "192.0.2.9", isActive: false })
        const three = yield* insert({ port: 445, protocol: "vless", network: "tcp" })
        const listed = (filter: Inbound.InboundFilter) =>
          Effect.map(inventory.listInbounds(filter, all), (inbounds) => inbounds.map(({ id }) => id))
        assert.deepStrictEqual(yield* listed({ geo }), [one, two, three].sort())
        assert.deepStrictEqual(yield* listed({ nodeId: node.id }), [one, two, three].sort())
        assert.deepStrictEqual(yield* listed({ geo, purpose: "p" }), [one])
        assert.deepStrictEqual(yield* listed({ geo, isActive: false }), [two])
        assert.deepStrictEqual(yield* listed({ geo, isActive: true }), [one, three].sort())
        assert.deepStrictEqual(yield* listed({ geo, protocol: "vless" }), [three])
        assert.deepStrictEqual(yield* listed({ geo, search: "FRA-1" }), [one])
        assert.deepStrictEqual(yield* listed({ geo, search: "_" }), [])
        assert.deepStrictEqual(
          (yield* inventory.inboundsOnPort(node.id, 444)).map(({ id }) => id),
          [two]
        )
      })
    )

    it.effect("ends a node with its tokens, and answers it no more", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const geo = anId()
        const [node, other] = [yield* aNodeWith({ geo }), yield* aNodeWith({ geo })]
        yield* inventory.deleteNode(node.id, noon + hour)
        assert.isNull(yield* inventory.node(node.id))
        assert.isNull(yield* inventory.lockNode(node.id))
        assert.deepStrictEqual(
          (yield* inventory.listNodes({ geo }, all, noon)).map(({ id }) => id),
          [other.id]
        )
        assert.strictEqual((yield* inventory.token(node.tokenId))!.revokedAt, noon + hour)
        assert.isNull((yield* inventory.token(other.tokenId))!.revokedAt)
        assert.isTrue((yield* nodeStates.head(node.id, node.tokenId)).isRevoked)
        assert.isFalse((yield* nodeStates.head(other.id, other.tokenId)).isRevoked)
        assert.isFalse((yield* nodeStates.head(other.id)).isRevoked)
      })
    )

    it.effect("finds among polls that wait those whose node, store or token is another now", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const [here, there] = [yield* aNodeWith({}), yield* aNodeWith({})]
        const inbound = yield* anInbound(here.id)
        const { generation } = yield* nodeStates.head(here.id)
        const of = ({ id, tokenId }: typeof here, revision: number) => ({ nodeId: id, tokenId, generation, revision })
        assert.deepStrictEqual(yield* nodeStates.outdated([]), [])
        assert.deepStrictEqual(yield* nodeStates.outdated([of(here, 0), of(there, 0), of(here, 0)]), [])
        yield* nodeStates.markInbounds([inbound.id], { roster: false })
        yield* nodeStates.assign
        const another = { ...of(there, 0), generation: "another" }
        const waiting = [of(there, 0), of(here, 0), of(here, 1), another, of(here, 2)]
        assert.deepStrictEqual(yield* nodeStates.outdated(waiting), [1, 3, 4])
        yield* inventory.revokeToken(there.tokenId, noon)
        assert.deepStrictEqual(yield* nodeStates.outdated(waiting), [0, 1, 3, 4])
      })
    )

    it.effect("collects nothing to tell a node that is gone", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const [gone, other] = [yield* aNode(), yield* aNode()]
        const [deleted, stays] = [yield* anInbound(gone.id), yield* anInbound(other.id)]
        const { credential, id } = yield* aSubscription({ inboundIds: [deleted.id, stays.id] })
        const told = Effect.fnUntraced(function* () {
          yield* nodeStates.markSubscriptions([id])
          yield* nodeStates.markCredential(credential, id)
          const nodes = (yield* nodeStates.assign).map(({ nodeId }) => nodeId)
          return [gone.id, other.id].map((nodeId) => nodes.includes(nodeId))
        })
        assert.deepStrictEqual(yield* told(), [true, true])
        yield* inventory.deleteInbound(deleted.id, noon + hour)
        assert.deepStrictEqual(yield* told(), [true, true])
        yield* inventory.deleteNode(gone.id, noon + hour)
        assert.deepStrictEqual(yield* told(), [false, true])
      })
    )

    it.effect("ends an inbound: nobody is linked to it, its port is free, and late bytes still count", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const node = yield* aNode()
        const [gone, stays] = [yield* anInbound(node.id, 443, 2000), yield* anInbound(node.id, 444)]
        const made = yield* aSubscription({ inboundIds: [gone.id, stays.id] })
        const { credential, id, link } = made
        const bystander = yield* aSubscription({ inboundIds: [stays.id] })
        assert.deepStrictEqual(yield* inventory.deleteInbound(gone.id, noon), [id])
        assert.deepStrictEqual(yield* inventory.deleteInbound(gone.id, noon), [])
        assert.deepStrictEqual((yield* subscriptions.get(id))!.inboundIds, [stays.id])
        assert.deepStrictEqual((yield* subscriptions.get(bystander.id))!.inboundIds, [stays.id])
        assert.deepStrictEqual(
          (yield* configFacts(link))!.inbounds.map((inbound) => inbound.id),
          [stays.id]
        )
        assert.deepStrictEqual(yield* inventory.inbounds([gone.id]), [])
        assert.deepStrictEqual(yield* inventory.holdInbounds([gone.id]), [])
        assert.isNull(yield* inventory.lockInbound(gone.id))
        assert.deepStrictEqual(
          (yield* inventory.listInbounds({ nodeId: node.id }, all)).map((inbound) => inbound.id),
          [stays.id]
        )
        assert.deepStrictEqual(
          (yield* nodeStates.load(node.id, null)).inbounds.map(({ ref }) => ref),
          [stays.ref]
        )
        assert.deepStrictEqual(yield* inventory.storeCertificates(node.id, [{ inbound: gone.ref, pem: "PEM" }]), [])
        yield* anInbound(node.id, 443)
        const sent = { node, spool: anId(), seq: 1, to: noon, entries: [entry(credential, gone.ref, 5n)] }
        assert.deepStrictEqual((yield* report(sent)).settlement!.quarantined, [])
        assert.strictEqual(yield* usedIn("subscription", id), 10_000n)
      })
    )

    it.effect("holds inbounds against being deleted until whoever links to them is done", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const transaction = yield* Transaction.Transaction
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const [held, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const linking = yield* transaction
          .run(
            Effect.gen(function* () {
              yield* inventory.holdInbounds([inbound.id])
              yield* Deferred.succeed(held, undefined)
              yield* Deferred.await(released)
            })
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(held)
        const removing = yield* transaction
          .run(Effect.andThen(inventory.lockInbound(inbound.id), inventory.deleteInbound(inbound.id, noon)))
          .pipe(Effect.forkChild)
        yield* Effect.sleep("100 millis")
        assert.isUndefined(removing.pollUnsafe())
        yield* Deferred.succeed(released, undefined)
        yield* Fiber.join(linking)
        yield* Fiber.join(removing)
        assert.deepStrictEqual(yield* inventory.holdInbounds([inbound.id]), [])
      })
    )

    it.effect("counts what a node was not told or did not confirm", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const pending = Effect.map(inventory.health([node.id], noon), (found) => found.get(node.id)!.pendingChanges)
        const say = Effect.gen(function* () {
          const { generation, revision } = yield* nodeStates.head(node.id)
          const said = {
            outcome: "applied",
            detail: null,
            certificates: [],
            agentVersion: "a",
            planeVersion: null
          } as const
          yield* nodeStates.recordApplied(node.id, { ...said, generation, revision }, null, noon)
        })
        assert.strictEqual(yield* pending, 0)
        yield* nodeStates.markInbounds([inbound.id], { roster: false })
        yield* nodeStates.markInbounds([inbound.id], { roster: false })
        assert.strictEqual(yield* pending, 1)
        yield* nodeStates.assign
        assert.strictEqual(yield* pending, 1)
        yield* say
        assert.strictEqual(yield* pending, 0)
        const other = yield* anInbound(node.id, 444)
        yield* nodeStates.markInbounds([inbound.id, other.id], { roster: false })
        assert.strictEqual(yield* pending, 2)
      })
    )

    it.effect("wakes whoever waits for a node's state once that is committed", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const transaction = yield* Transaction.Transaction
        const { id } = yield* aNode()
        const waking = yield* Effect.forkChild(
          Stream.runHead(Stream.filter(nodeStates.assigned, (nodeId) => nodeId === id))
        )
        yield* Effect.sleep("300 millis")
        yield* Effect.exit(transaction.run(Effect.andThen(nodeStates.wake(id), Effect.fail("no"))))
        yield* Effect.sleep("200 millis")
        assert.isUndefined(waking.pollUnsafe())
        yield* transaction.run(nodeStates.wake(id))
        assert.strictEqual((yield* Fiber.join(waking).pipe(Effect.timeout("5 seconds")))._tag, "Some")
      })
    )
  })
