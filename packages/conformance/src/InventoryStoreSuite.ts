/** What `InventoryStore` promises: nodes, tokens and inbounds. */
import { assert } from "@effect/vitest"
import { InventoryStore, Node, Usage, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aNode, anId, anInbound, entry, hour, inboundOn, noon, report } from "./World.ts"

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`InventoryStore (${name})`, stores, (it) => {
    it.effect("keeps nodes as they are, and lists them by id", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const { id } = yield* aNode(2n ** 63n - 1n)
        const node = (yield* inventory.node(id))!
        assert.strictEqual(node.linkSpeed, 2n ** 63n - 1n)
        const after = { ...node, description: "Frankfurt", geo: "DE", linkSpeed: null, updatedAt: noon + hour }
        yield* inventory.updateNode(after)
        assert.deepStrictEqual(yield* inventory.node(id), after)
        yield* aNode()
        const listed = (yield* inventory.listNodes({}, { after: null, limit: 10_000 }, noon)).map((each) => each.id)
        assert.include(listed, id)
        assert.deepStrictEqual(listed, [...listed].sort())
        const rest = yield* inventory.listNodes({}, { after: id, limit: 10_000 }, noon)
        assert.strictEqual(rest.length, listed.length - listed.indexOf(id) - 1)
        assert.strictEqual(yield* inventory.node(anId()), null)
      })
    )

    it.effect("takes a node for active while its reports come", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const node = yield* aNode()
        const at = (now: number) => Effect.map(inventory.health([node.id], now), (health) => health.get(node.id)!)
        assert.deepInclude(yield* at(noon), { isActive: false, lastSeenAt: null, revision: 0, isCloned: false })
        yield* report({ node, spool: anId(), seq: 1, to: noon, entries: [] })
        assert.deepInclude(yield* at(noon + Node.activeFor), { isActive: true, lastSeenAt: noon })
        assert.deepInclude(yield* at(noon + Node.activeFor + 1), { isActive: false, lastSeenAt: noon })
      })
    )

    it.effect("finds a token by its key's hash, revoked or not", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const { id: nodeId, tokenId } = yield* aNode()
        const [token, hash] = [{ id: anId(), nodeId, createdAt: noon, revokedAt: null }, anId()]
        yield* inventory.insertToken(token, hash)
        assert.deepStrictEqual(yield* inventory.tokenByHash(hash), token)
        assert.sameMembers(
          (yield* inventory.tokensOf(nodeId)).map(({ id }) => id),
          [tokenId, token.id]
        )
        yield* inventory.revokeToken(token.id, noon + hour)
        const revoked = { ...token, revokedAt: noon + hour }
        assert.deepStrictEqual(yield* inventory.tokenByHash(hash), revoked)
        assert.deepStrictEqual(yield* inventory.token(token.id), revoked)
        assert.strictEqual(yield* inventory.tokenByHash(anId()), null)
      })
    )

    it.effect("gives every inbound a number of its own", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const [one, two] = [yield* aNode(), yield* aNode()]
        const made = [yield* anInbound(one.id, 443), yield* anInbound(one.id, 444), yield* anInbound(two.id, 443)]
        assert.strictEqual(new Set(made.map(({ ref }) => ref)).size, 3)
        const found = yield* inventory.inbounds(made.map(({ id }) => id))
        assert.sameDeepMembers([...found], made)
        const listed = yield* inventory.listInbounds({ nodeId: one.id }, { after: null, limit: 10 })
        assert.deepStrictEqual(
          listed.map(({ id }) => id),
          [made[0]!.id, made[1]!.id].sort()
        )
        const everywhere = yield* inventory.listInbounds({}, { after: null, limit: 10_000 })
        assert.includeMembers(
          everywhere.map(({ id }) => id),
          made.map(({ id }) => id)
        )
      })
    )

    it.effect("refuses a port that another inbound of the node has on the same transport and address", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const { id } = yield* aNode()
        const tcp = { ...inboundOn(id, 443), network: "tcp" }
        const ref = yield* inventory.insertInbound(tcp)
        yield* inventory.insertInbound({ ...inboundOn(id, 443), network: "udp" })
        const failure = yield* Effect.flip(inventory.insertInbound(inboundOn(id, 443)))
        assert.deepInclude(failure.reason, { _tag: "AlreadyExists", field: "port" })
        yield* inventory.insertInbound({ ...inboundOn(id, 443), listen: "192.0.2.7" })
        const moved = yield* anInbound(id, 444)
        assert.deepInclude((yield* Effect.flip(inventory.updateInbound({ ...moved, port: 443 }))).reason, {
          field: "port"
        })
        yield* inventory.updateInbound({ ...tcp, host: "other.example.org" })
        assert.deepInclude((yield* inventory.inbounds([tcp.id]))[0], { ref, host: "other.example.org" })
      })
    )

    it.effect("changes neither an inbound's number nor its node", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const [node, other] = [yield* aNode(), yield* aNode()]
        const inbound = yield* anInbound(node.id)
        yield* inventory.updateInbound({ ...inbound, ref: 999_999, nodeId: other.id, isActive: false })
        assert.deepStrictEqual(yield* inventory.lockInbound(inbound.id), { ...inbound, isActive: false })
        assert.strictEqual(yield* inventory.lockInbound(anId()), null)
      })
    )

    it.effect("remembers which multiplier held when", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const usage = yield* UsageStore.UsageStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id, 443, 1337)
        yield* inventory.recordMultiplier(inbound.id, 2000, noon)
        yield* inventory.recordMultiplier(inbound.id, 3000, noon + hour)
        const batch = { spool: anId(), seq: 1, from: noon, to: noon, entries: [entry(0, inbound.ref, 1n)] }
        const facts = yield* usage.facts(node.id, batch, noon)
        const { multipliers } = facts.inbounds.get(inbound.ref)!
        const values = [noon - hour, noon, noon + 1, noon + hour, noon + 2 * hour].map((to) =>
          Usage.historyAt(multipliers, to)
        )
        assert.deepStrictEqual(values, [1337, 1337, 2000, 2000, 3000])
      })
    )

    it.effect("stores certificates of the node's own inbounds, and tells which are new", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const [node, other] = [yield* aNode(), yield* aNode()]
        const [mine, foreign] = [yield* anInbound(node.id), yield* anInbound(other.id)]
        const reported = [
          { inbound: mine.ref, pem: "PEM 1" },
          { inbound: foreign.ref, pem: "PEM 2" }
        ]
        assert.deepStrictEqual(yield* inventory.storeCertificates(node.id, reported), [mine.id])
        assert.deepStrictEqual(yield* inventory.storeCertificates(node.id, reported), [])
        const certificates = (yield* inventory.inbounds([mine.id, foreign.id])).map((each) => [
          each.id,
          each.certificate
        ])
        assert.sameDeepMembers(certificates, [
          [mine.id, "PEM 1"],
          [foreign.id, null]
        ])
      })
    )
  })
