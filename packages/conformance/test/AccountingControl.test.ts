/** The accounting property finds what it is for: on stores that break one promise each, it must fail. */
import { assert, describe, it } from "@effect/vitest"
import { BucketStore, MemoryStores, NodeStateStore, UsageStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { AccountingProperty } from "../src/index.ts"
import type { Stores } from "../src/index.ts"

const usage = (change: (store: UsageStore.UsageStore["Service"]) => Partial<UsageStore.UsageStore["Service"]>) =>
  Layer.effect(
    UsageStore.UsageStore,
    Effect.map(UsageStore.UsageStore, (store) => UsageStore.UsageStore.of({ ...store, ...change(store) }))
  )

const buckets = (change: (store: BucketStore.BucketStore["Service"]) => Partial<BucketStore.BucketStore["Service"]>) =>
  Layer.effect(
    BucketStore.BucketStore,
    Effect.map(BucketStore.BucketStore, (store) => BucketStore.BucketStore.of({ ...store, ...change(store) }))
  )

const nodeStates = (
  change: (store: NodeStateStore.NodeStateStore["Service"]) => Partial<NodeStateStore.NodeStateStore["Service"]>
) =>
  Layer.effect(
    NodeStateStore.NodeStateStore,
    Effect.map(NodeStateStore.NodeStateStore, (store) =>
      NodeStateStore.NodeStateStore.of({ ...store, ...change(store) })
    )
  )

const broken: Readonly<Record<string, Stores.StoresLayer>> = {
  "takes every batch for new": usage(() => ({ admit: () => Effect.succeed("new") })).pipe(
    Layer.provideMerge(MemoryStores.layer)
  ),
  "loses late bytes": usage((store) => ({
    record: (recording) => (recording.settlement.current.length === 0 ? Effect.void : store.record(recording))
  })).pipe(Layer.provideMerge(MemoryStores.layer)),
  "does not say whose bucket filled up": usage(() => ({ touched: () => Effect.succeed([]) })).pipe(
    Layer.provideMerge(MemoryStores.layer)
  ),
  "forgets resets": buckets(() => ({ recordCut: () => Effect.void })).pipe(Layer.provideMerge(MemoryStores.layer)),
  "does not tell nodes of buckets": nodeStates(() => ({ markBuckets: () => Effect.void })).pipe(
    Layer.provideMerge(MemoryStores.layer)
  ),
  "does not tell nodes of subscriptions": nodeStates(() => ({ markSubscriptions: () => Effect.void })).pipe(
    Layer.provideMerge(MemoryStores.layer)
  )
}

describe("the accounting property", () => {
  for (const [fault, stores] of Object.entries(broken)) {
    it(`fails on a store that ${fault}`, { timeout: 60_000 }, async () => {
      const found = await AccountingProperty.check(stores, { runs: 500, seed: 1, endOnFailure: true }).then(
        () => null,
        (failure: unknown) => String(failure)
      )
      assert.match(found ?? "nothing", /^Error: Property failed after \d+ tests/)
    })
  }
})
