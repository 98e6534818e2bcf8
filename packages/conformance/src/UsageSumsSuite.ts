/** What `UsageStore.sums` promises: usage by hour, day, inbound and node, exactly. */
import { assert } from "@effect/vitest"
import { SubscriptionStore, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aNode, anId, anInbound, aSubscription, aUser, entry, hour, noon, report } from "./World.ts"

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`UsageStore, sums (${name})`, stores, (it) => {
    it.effect("sums by hour, UTC day, inbound and node: exactly, and an owner's what was its own", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const nodes = [yield* aNode(), yield* aNode()] as const
        const inbounds = [
          yield* anInbound(nodes[0].id, 1, 1337),
          yield* anInbound(nodes[0].id, 2),
          yield* anInbound(nodes[1].id, 1, 1)
        ] as const
        const [ann, bob] = [yield* aUser(), yield* aUser()]
        const { id, credential } = yield* aSubscription({ ownerId: ann, inboundIds: inbounds.map((each) => each.id) })
        const midnight = noon + 12 * hour
        yield* subscriptions.recordOwner(id, bob, midnight)
        const spools = [anId(), anId()]
        const ends = [noon, noon + 1, midnight, midnight + 1, midnight + 30 * hour]
        for (const [n, to] of ends.entries())
          for (const [on, node] of nodes.entries()) {
            const here = inbounds.filter(({ nodeId }) => nodeId === node.id)
            const entries = here.map(({ ref }) => entry(credential, ref, BigInt(n + 1), 10n))
            yield* report({ node, spool: spools[on]!, seq: n + 1, to, entries })
          }
        const weights = [1337n, 1000n, 1n]
        const all = weights.reduce((sum, weight) => sum + weight, 0n)
        const own = { kind: "subscription", id } as const
        const always = [0, noon + 100 * hour] as const
        const bytes = (n: number) => BigInt(n) + 10n
        const byHour = yield* usage.sums(own, "hour", ...always)
        assert.deepStrictEqual(
          byHour.map(({ at, weighted }) => [at, weighted]),
          [
            [noon - hour, bytes(1) * all],
            [noon, bytes(2) * all],
            [midnight - hour, bytes(3) * all],
            [midnight, bytes(4) * all],
            [midnight + 29 * hour, bytes(5) * all]
          ]
        )
        assert.deepStrictEqual(byHour[0], {
          at: noon - hour,
          inboundId: null,
          nodeId: null,
          up: 3n,
          down: 30n,
          weighted: 11n * all
        })
        assert.deepStrictEqual(
          (yield* usage.sums(own, "day", ...always)).map(({ at, up, weighted }) => [at, up, weighted]),
          [
            [midnight - 24 * hour, 18n, 36n * all],
            [midnight, 12n, 14n * all],
            [midnight + 24 * hour, 15n, 15n * all]
          ]
        )
        const sorted = <A>(rows: ReadonlyArray<readonly [string | null, A]>): Array<Array<string | A | null>> =>
          [...rows].sort(([one], [other]) => (one! < other! ? -1 : 1)).map((row) => [...row])
        assert.deepStrictEqual(
          (yield* usage.sums(own, "inbound", ...always)).map(({ inboundId, weighted }) => [inboundId, weighted]),
          sorted(inbounds.map((inbound, n) => [inbound.id, 65n * weights[n]!]))
        )
        assert.deepStrictEqual(
          (yield* usage.sums(own, "node", ...always)).map(({ nodeId, up, weighted }) => [nodeId, [up, weighted]]),
          sorted([
            [nodes[0].id, [30n, 65n * 2337n]],
            [nodes[1].id, [15n, 65n]]
          ])
        )
        const narrow = yield* usage.sums(own, "day", noon, midnight)
        assert.deepStrictEqual(
          narrow.map(({ at, weighted }) => [at, weighted]),
          [[midnight - 24 * hour, 25n * all]]
        )
        const ofAnn = { kind: "owner", id: ann } as const
        const ofBob = { kind: "owner", id: bob } as const
        assert.deepStrictEqual(
          (yield* usage.sums(ofAnn, "day", ...always)).map(({ at, weighted }) => [at, weighted]),
          [[midnight - 24 * hour, 36n * all]]
        )
        assert.deepStrictEqual(
          (yield* usage.sums(ofBob, "node", ...always)).map(({ nodeId, weighted }) => [nodeId, weighted]),
          sorted([
            [nodes[0].id, 29n * 2337n],
            [nodes[1].id, 29n]
          ])
        )
        assert.deepStrictEqual(
          (yield* usage.sums(ofBob, "hour", ...always)).map(({ at }) => at),
          [midnight, midnight + 29 * hour]
        )
        assert.deepStrictEqual(yield* usage.sums({ kind: "subscription", id: anId() }, "node", ...always), [])
      })
    )
  })
