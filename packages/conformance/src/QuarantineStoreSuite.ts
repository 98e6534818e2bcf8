/** What `QuarantineStore` promises: entries are found by what they are, and resolved once. */
import { assert } from "@effect/vitest"
import { QuarantineStore, Transaction, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import * as fc from "fast-check"
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

    it.effect("keeps what is open for ever, and what somebody resolved for a time", () =>
      Effect.gen(function* () {
        const quarantine = yield* QuarantineStore.QuarantineStore
        const usage = yield* UsageStore.UsageStore
        const { id: nodeId } = yield* aNodeInDoubt([1n, 1n, 1n])
        const [newest, , oldest] = yield* quarantine.list({ nodeId }, page)
        const resolved = { resolvedAt: noon, resolvedBy: anId(), subscriptionId: null, inboundId: null }
        for (const { id } of [newest!, oldest!])
          assert.isTrue(yield* quarantine.resolve(id, { state: "dismissed", ...resolved }))
        yield* usage.retain(noon + hour)
        const kept = yield* quarantine.list({ nodeId }, page)
        assert.deepStrictEqual(
          kept.map(({ credential, state }) => [credential, state]),
          [
            [-3, "dismissed"],
            [-2, "open"]
          ]
        )
      })
    )

    it.effect("answers to every filter what a naive search finds in what was reported", () =>
      Effect.gen(function* () {
        const quarantine = yield* QuarantineStore.QuarantineStore
        const start = Date.UTC(2050, 0, 1) + Math.floor(Math.random() * 3000) * 24 * hour
        const nodes = [
          yield* aNodeInDoubt([1n, -1n, 2n, -2n, 3n, -3n], start),
          yield* aNodeInDoubt([-1n, 1n, -2n, 2n, -3n, 3n], start + hour / 2)
        ]
        const reported = nodes.flatMap(({ id: nodeId }, place) =>
          Array.from({ length: 6 }, (_, index) => ({
            nodeId,
            credential: -index - 1,
            receivedAt: start + index * hour + (place * hour) / 2,
            reason: (index + place) % 2 === 0 ? ("unknown_inbound" as const) : ("negative" as const),
            state: index === 2 ? ("dismissed" as const) : index === 3 ? ("applied" as const) : ("open" as const)
          }))
        )
        const span = { from: start, to: start + 24 * hour }
        for (const entry of yield* quarantine.list(span, page)) {
          const { state } = reported.find(
            (each) => each.nodeId === entry.nodeId && each.credential === entry.credential
          )!
          if (state === "open") continue
          const resolved = { resolvedAt: start, resolvedBy: anId(), subscriptionId: null, inboundId: null }
          yield* quarantine.resolve(entry.id, { state, ...resolved })
        }
        const maybe = <A>(...values: ReadonlyArray<A>) => fc.option(fc.constantFrom(...values), { nil: undefined })
        const filters = fc.record({
          nodeId: maybe(...nodes.map(({ id }) => id)),
          reason: maybe("negative" as const, "unknown_inbound" as const),
          state: maybe("open" as const, "applied" as const, "dismissed" as const),
          from: fc.integer({ min: 0, max: 4 }).map((hours) => start + hours * hour),
          to: fc.integer({ min: 2, max: 8 }).map((hours) => start + hours * hour)
        })
        const everything = { ...span, nodeId: undefined, reason: undefined, state: undefined }
        let found = 0
        for (const filter of [everything, ...fc.sample(filters, 50)]) {
          const { from, to, nodeId, reason, state } = filter
          const expected = reported
            .filter(
              (each) =>
                (nodeId === undefined || each.nodeId === nodeId) &&
                (reason === undefined || each.reason === reason) &&
                (state === undefined || each.state === state) &&
                from <= each.receivedAt &&
                each.receivedAt < to
            )
            .sort((a, b) => b.receivedAt - a.receivedAt)
          const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
          const rows = yield* quarantine.list(given as QuarantineStore.QuarantineFilter, page)
          assert.deepStrictEqual(
            rows.map(({ nodeId, credential, receivedAt, reason, state }) => ({
              nodeId,
              credential,
              receivedAt,
              reason,
              state
            })),
            expected,
            JSON.stringify(given)
          )
          found += rows.length
        }
        assert.isAtLeast(found, reported.length)
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
