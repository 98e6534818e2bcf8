/** What `QuarantineStore` promises: entries are found by what they are, and resolved once. */
import { assert } from "@effect/vitest"
import { QuarantineStore, Transaction } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aNode, anId, entry, hour, noon, report } from "./World.ts"

const page = { after: null, limit: 100 }

/** A node that reported one entry an hour, of an inbound nobody knows or of negative bytes. */
const aNodeInDoubt = Effect.fnUntraced(function* (bytes: ReadonlyArray<bigint>, start = noon) {
  const node = yield* aNode()
  const spool = anId()
  for (const [index, up] of bytes.entries()) {
    yield* report({ node, spool, seq: index + 1, to: start + index * hour, entries: [entry(-index - 1, -1, up)] })
  }
  return { ...node, spool }
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`QuarantineStore (${name})`, stores, (it) => {
    it.effect("turns the pages of the quarantine, newest first", () =>
      Effect.gen(function* () {
        const quarantine = yield* QuarantineStore.QuarantineStore
        const far = Date.UTC(2080, 0, 1)
        yield* aNodeInDoubt([1n, 1n, 1n], far)
        const first = yield* quarantine.list({}, { after: null, limit: 2 })
        const second = yield* quarantine.list({}, { after: first[1]!.id, limit: 1 })
        assert.deepStrictEqual(
          [...first, ...second].map(({ credential, receivedAt }) => [credential, receivedAt]),
          [3, 2, 1].map((seq) => [-seq, far + (seq - 1) * hour])
        )
      })
    )

    it.effect("finds entries by node, reason, state and time", () =>
      Effect.gen(function* () {
        const quarantine = yield* QuarantineStore.QuarantineStore
        const { id: nodeId } = yield* aNodeInDoubt([1n, -1n, 1n, -1n])
        const found = (filter: QuarantineStore.QuarantineFilter) =>
          Effect.map(quarantine.list({ nodeId, ...filter }, page), (entries) => entries.map((each) => each.credential))
        assert.deepStrictEqual(yield* found({}), [-4, -3, -2, -1])
        assert.deepStrictEqual(yield* found({ reason: "negative" }), [-4, -2])
        assert.deepStrictEqual(yield* found({ from: noon + hour, to: noon + 3 * hour }), [-3, -2])
        const [newest] = yield* quarantine.list({ nodeId }, page)
        const resolved = { resolvedAt: noon, resolvedBy: anId(), subscriptionId: null, inboundId: null }
        yield* quarantine.resolve(newest!.id, { state: "dismissed", ...resolved })
        assert.deepStrictEqual(yield* found({ state: "open" }), [-3, -2, -1])
        assert.deepStrictEqual(yield* found({ state: "dismissed" }), [-4])
        assert.deepStrictEqual(yield* found({ state: "applied" }), [])
      })
    )

    it.effect("answers an entry with the batch it came in, and null for none", () =>
      Effect.gen(function* () {
        const quarantine = yield* QuarantineStore.QuarantineStore
        const { id: nodeId, tokenId, spool } = yield* aNodeInDoubt([7n])
        const [entry] = yield* quarantine.list({ nodeId }, page)
        assert.deepStrictEqual(yield* quarantine.get(entry!.id), { entry: entry!, source: { tokenId, spool, seq: 1 } })
        assert.isNull(yield* quarantine.get(anId()))
      })
    )

    it.effect("resolves an entry once, whoever comes at the same time, and not at all when rolled back", () =>
      Effect.gen(function* () {
        const quarantine = yield* QuarantineStore.QuarantineStore
        const transaction = yield* Transaction.Transaction
        const { id: nodeId } = yield* aNodeInDoubt([7n])
        const [entry] = yield* quarantine.list({ nodeId }, page)
        const resolution = {
          state: "applied",
          resolvedAt: noon + hour,
          resolvedBy: anId(),
          subscriptionId: anId(),
          inboundId: anId()
        } as const
        const resolve = transaction.run(quarantine.resolve(entry!.id, resolution))
        yield* Effect.exit(
          transaction.run(Effect.andThen(quarantine.resolve(entry!.id, resolution), Effect.fail("no")))
        )
        const answers = yield* Effect.all([resolve, resolve, resolve], { concurrency: "unbounded" })
        assert.sameMembers(answers, [true, false, false])
        assert.deepStrictEqual((yield* quarantine.get(entry!.id))?.entry, { ...entry!, ...resolution })
        assert.isFalse(yield* quarantine.resolve(anId(), resolution))
      })
    )
  })
