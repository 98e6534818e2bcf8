/** What `NodeStateStore` promises of convergence: a change has converged when its nodes said so. */
import { assert } from "@effect/vitest"
import type { Convergence } from "@vpnmgr/core"
import { CredentialStore, InventoryStore, NodeStateStore, SubscriptionStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aNode, anId, anInbound, aSecret, aSubscription, hour, noon } from "./World.ts"

/** A node says of a revision what came of it. */
const say = Effect.fnUntraced(function* (nodeId: string, fields: Partial<Convergence.AppliedReport> = {}) {
  const nodeStates = yield* NodeStateStore.NodeStateStore
  const { generation, revision } = yield* nodeStates.head(nodeId)
  const word: Convergence.AppliedReport = {
    generation,
    revision,
    outcome: "applied",
    detail: null,
    certificates: [],
    agentVersion: "1.2.3",
    planeVersion: "sing-box 1.13.0",
    ...fields
  }
  yield* nodeStates.recordApplied(nodeId, word, "1.0", noon)
})

/** A node with a subscription it was told of. */
const aScene = Effect.gen(function* () {
  const nodeStates = yield* NodeStateStore.NodeStateStore
  const node = yield* aNode()
  const inbound = yield* anInbound(node.id)
  const subscription = yield* aSubscription({ inboundIds: [inbound.id] })
  const mark = nodeStates.markSubscriptions([subscription.id])
  const nodes = nodeStates.convergence(subscription.id)
  const converged = Effect.map(nodes, (all) => all.map((each) => each.converged))
  const states = Effect.map(nodes, (all) => all.map(({ state, lastError }) => [state, lastError]))
  return { node, inbound, subscription, mark, converged, states, assign: nodeStates.assign }
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`NodeStateStore, convergence (${name})`, stores, (it) => {
    it.effect("has converged once the node serves the change, not before, and not after the next one", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { node, subscription, mark, converged, assign } = yield* aScene
        yield* mark
        const unheard: ReadonlyArray<Convergence.NodeConvergence> = [
          { nodeId: node.id, converged: false, state: "pending", lastError: null, lastSeenAt: null }
        ]
        assert.deepStrictEqual(yield* nodeStates.convergence(subscription.id), unheard)
        yield* assign
        assert.deepStrictEqual(yield* converged, [false])
        yield* say(node.id)
        const served: ReadonlyArray<Convergence.NodeConvergence> = [
          { nodeId: node.id, converged: true, state: "applied", lastError: null, lastSeenAt: noon }
        ]
        assert.deepStrictEqual(yield* nodeStates.convergence(subscription.id), served)
        yield* mark
        assert.deepStrictEqual(yield* converged, [false])
        yield* assign
        assert.deepStrictEqual(yield* converged, [false])
        yield* say(node.id, { revision: 1 })
        assert.deepStrictEqual(yield* converged, [false])
        yield* say(node.id)
        assert.deepStrictEqual(yield* converged, [true])
      })
    )

    it.effect("has not converged where the node refused or failed, or speaks of another store", () =>
      Effect.gen(function* () {
        const inventory = yield* InventoryStore.InventoryStore
        const { node, mark, converged, states, assign } = yield* aScene
        yield* mark
        yield* assign
        assert.deepStrictEqual(yield* states, [["pending", null]])
        yield* say(node.id, { outcome: "rejected", detail: "bad config" })
        assert.deepStrictEqual(yield* converged, [false])
        assert.deepStrictEqual(yield* states, [["failed", "bad config"]])
        const known = (yield* inventory.health([node.id], noon)).get(node.id)
        assert.deepInclude(known, {
          servedRevision: null,
          lastOutcome: "rejected",
          lastError: "bad config",
          protocolVersion: "1.0",
          agentVersion: "1.2.3",
          planeVersion: "sing-box 1.13.0"
        })
        yield* say(node.id, { outcome: "failed", detail: "no port" })
        assert.deepStrictEqual(yield* converged, [false])
        assert.deepStrictEqual(yield* states, [["failed", "no port"]])
        yield* say(node.id, { generation: anId(), revision: 1000 })
        assert.deepStrictEqual(yield* converged, [false])
        assert.deepStrictEqual(yield* states, [["pending", null]])
        yield* say(node.id)
        assert.deepStrictEqual(yield* converged, [true])
        assert.deepStrictEqual(yield* states, [["applied", null]])
        assert.deepInclude((yield* inventory.health([node.id], noon)).get(node.id), {
          servedRevision: 1,
          lastOutcome: "applied",
          lastOutcomeAt: noon,
          lastError: "no port",
          lastErrorAt: noon
        })
      })
    )

    it.effect("stays converged when somebody else's change is under way", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { node, inbound, mark, converged, assign } = yield* aScene
        yield* mark
        yield* assign
        yield* say(node.id)
        const other = yield* aSubscription({ inboundIds: [inbound.id] })
        yield* nodeStates.markSubscriptions([other.id])
        yield* assign
        assert.deepStrictEqual(yield* converged, [true])
      })
    )

    it.effect("names every node it is linked on", () =>
      Effect.gen(function* () {
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const { node, inbound, subscription, mark, assign } = yield* aScene
        const second = yield* aNode()
        const far = yield* anInbound(second.id)
        yield* subscriptions.setInbounds(subscription.id, [inbound.id, far.id], noon)
        yield* mark
        yield* assign
        yield* say(node.id)
        const named = yield* nodeStates.convergence(subscription.id)
        assert.sameDeepMembers(
          named.map(({ nodeId, converged }) => [nodeId, converged]),
          [
            [node.id, true],
            [second.id, false]
          ]
        )
        assert.deepStrictEqual(yield* nodeStates.convergence(anId()), [])
      })
    )

    it.effect("has not converged while the nodes are not told of its credential", () =>
      Effect.gen(function* () {
        const credentials = yield* CredentialStore.CredentialStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const nodeStates = yield* NodeStateStore.NodeStateStore
        const { node, subscription, mark, converged, assign } = yield* aScene
        const [held] = yield* credentials.insert([aSecret()], false)
        yield* credentials.assign(held!, subscription.id, noon + hour)
        yield* subscriptions.update({ ...subscription, credential: held! })
        yield* mark
        yield* assign
        yield* say(node.id)
        assert.deepStrictEqual(yield* converged, [false])
        yield* nodeStates.markSpares(yield* credentials.release)
        yield* assign
        assert.deepStrictEqual(yield* converged, [false])
        yield* say(node.id)
        assert.deepStrictEqual(yield* converged, [true])
      })
    )
  })
