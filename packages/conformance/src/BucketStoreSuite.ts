/** What `BucketStore` promises: buckets are read whole, counted again from pieces, and locked by who changes them. */
import { assert } from "@effect/vitest"
import { BucketStore, Transaction } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import {
  aNode,
  anId,
  anInbound,
  aSubscription,
  aUser,
  bucketOf,
  entry,
  hour,
  january,
  noon,
  report,
  usedIn
} from "./World.ts"

const day = 24 * hour

const read = Effect.fnUntraced(function* (key: BucketStore.BucketKey) {
  const buckets = yield* BucketStore.BucketStore
  const [bucket] = yield* buckets.read([key])
  return bucket!
})

/** Counts a bucket again in another window, as a change of its calendar does. */
const move = Effect.fnUntraced(function* (
  key: BucketStore.BucketKey,
  window: { readonly start: number; readonly end: number }
) {
  const buckets = yield* BucketStore.BucketStore
  const transaction = yield* Transaction.Transaction
  return yield* transaction.run(
    Effect.gen(function* () {
      const [bucket] = yield* buckets.lock([key])
      const moved = { ...bucket!, window }
      const counted = yield* buckets.recount([moved])
      yield* buckets.save([moved])
      return counted.get(key.id)!
    })
  )
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`BucketStore (${name})`, stores, (it) => {
    it.effect("finds buckets whose exhaustion is not what weighing says, and no other", () =>
      Effect.gen(function* () {
        const buckets = yield* BucketStore.BucketStore
        const ownerId = yield* aUser()
        const never = Number.POSITIVE_INFINITY
        const full = yield* aSubscription({}, { maxTraffic: 0n })
        const closed = yield* aSubscription({}, { maxTraffic: 0n, exhaustedUntil: never })
        const shut = yield* aSubscription({}, { maxTraffic: 10n, exhaustedUntil: january.end })
        const open = yield* aSubscription({}, { maxTraffic: 10n })
        const own = [full, closed, shut, open].map(({ id }) => ({ kind: "subscription" as const, id }))
        const keys = [...own, { kind: "owner" as const, id: ownerId }]
        const wrong = (yield* buckets.misjudged(1000, keys)).map(({ id }) => id)
        assert.sameMembers(wrong, [full.id, shut.id])
        assert.includeMembers(
          (yield* buckets.misjudged(10_000)).map(({ id }) => id),
          wrong
        )
        yield* buckets.flip([
          { ...own[0]!, exhaustedUntil: never },
          { ...own[2]!, exhaustedUntil: null },
          { kind: "owner", id: ownerId, exhaustedUntil: january.end }
        ])
        assert.deepStrictEqual(yield* buckets.misjudged(1000, keys), [{ kind: "owner", id: ownerId }])
      })
    )

    it.effect("keeps a bucket as it is: windows without end, blocks for ever, the largest limit", () =>
      Effect.gen(function* () {
        const buckets = yield* BucketStore.BucketStore
        const key = { kind: "owner", id: anId() } as const
        const endless = {
          ...bucketOf(key.kind, key.id),
          maxTraffic: 2n ** 63n - 1n,
          period: null,
          cut: noon,
          window: { start: 0, end: Number.POSITIVE_INFINITY },
          exhaustedUntil: Number.POSITIVE_INFINITY
        }
        const ref = yield* buckets.insert({ ...endless, used: 5n })
        assert.deepStrictEqual(yield* read(key), { ...endless, ref })
        assert.notStrictEqual(yield* buckets.insert(bucketOf("owner", anId())), ref)
        const after = {
          ...endless,
          ref,
          maxTraffic: null,
          period: "PT1H",
          cut: null,
          window: january,
          exhaustedUntil: null
        }
        yield* buckets.save([after])
        assert.deepStrictEqual(yield* read(key), after)
      })
    )

    it.effect("locks subscriptions' buckets before owners', each by id, and leaves out unknown ones", () =>
      Effect.gen(function* () {
        const buckets = yield* BucketStore.BucketStore
        const transaction = yield* Transaction.Transaction
        const owners = [yield* aUser(), yield* aUser()].map((id) => ({ kind: "owner", id }) as const)
        const own = [yield* aSubscription(), yield* aSubscription()].map(
          ({ id }) => ({ kind: "subscription", id }) as const
        )
        const unknown = [
          { kind: "owner", id: anId() },
          { kind: "subscription", id: owners[0]!.id }
        ] as const
        const locked = yield* transaction.run(buckets.lock([...owners, ...unknown, ...own, ...own]))
        const sorted = [own, owners].flatMap((keys) => keys.map(({ id }) => id).sort())
        assert.deepStrictEqual(
          locked.map(({ id }) => id),
          sorted
        )
        assert.deepStrictEqual(yield* buckets.lock([]), [])
      })
    )

    it.effect("saves everything but what was used", () =>
      Effect.gen(function* () {
        const buckets = yield* BucketStore.BucketStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const { id, credential } = yield* aSubscription({ inboundIds: [inbound.id] })
        const key = { kind: "subscription", id } as const
        yield* report({ node, spool: anId(), seq: 1, to: noon, entries: [entry(credential, inbound.ref, 9n)] })
        yield* buckets.save([{ ...(yield* read(key)), maxTraffic: 5n, used: 0n }])
        assert.deepInclude(yield* read(key), { maxTraffic: 5n, used: 9000n })
      })
    )

    it.effect("counts again what a changed window holds, for a subscription and for its owner over all nodes", () =>
      Effect.gen(function* () {
        const [one, two] = [yield* aNode(), yield* aNode()]
        const [near, far] = [yield* anInbound(one.id, 443, 1337), yield* anInbound(two.id)]
        const ownerId = yield* aUser()
        const { id, credential } = yield* aSubscription({ ownerId, inboundIds: [near.id, far.id] })
        for (const [node, inbound, at, bytes] of [
          [one, near, noon - day, 3n],
          [one, near, noon, 10n],
          [two, far, noon, 20n],
          [two, far, noon + day, 40n],
          [two, far, noon - 40 * day, 80n]
        ] as const) {
          yield* report({ node, spool: anId(), seq: 1, to: at, entries: [entry(credential, inbound.ref, bytes)] })
        }
        for (const key of [{ kind: "subscription", id } as const, { kind: "owner", id: ownerId } as const]) {
          assert.strictEqual(yield* usedIn(key.kind, key.id), 13n * 1337n + 60_000n)
          for (const [window, used] of [
            [{ start: noon - day, end: noon }, 33_370n],
            [{ start: noon, end: noon + day }, 40_000n],
            [{ start: 0, end: Number.POSITIVE_INFINITY }, 13n * 1337n + 140_000n],
            [{ start: noon + 2 * day, end: noon + 3 * day }, 0n],
            [january, 13n * 1337n + 60_000n]
          ] as const) {
            assert.strictEqual(yield* move(key, window), used)
            assert.strictEqual((yield* read(key)).used, used)
          }
        }
      })
    )

    it.effect("goes on adding after it counted again", () =>
      Effect.gen(function* () {
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const ownerId = yield* aUser()
        const { id, credential } = yield* aSubscription({ ownerId, inboundIds: [inbound.id] })
        const spool = anId()
        const sent = (seq: number, to: number) =>
          report({ node, spool, seq, to, entries: [entry(credential, inbound.ref, 1n)] })
        yield* sent(1, noon - day)
        yield* sent(2, noon)
        const window = { start: noon - hour, end: noon + day }
        yield* move({ kind: "subscription", id }, window)
        yield* move({ kind: "owner", id: ownerId }, window)
        yield* sent(3, noon + 1)
        yield* sent(4, noon - day)
        assert.deepStrictEqual([yield* usedIn("subscription", id), yield* usedIn("owner", ownerId)], [2000n, 2000n])
      })
    )

    it.effect("cuts the pieces of what is reported after a reset, there and nowhere else", () =>
      Effect.gen(function* () {
        const buckets = yield* BucketStore.BucketStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const { id, credential } = yield* aSubscription({ inboundIds: [inbound.id] })
        const key = { kind: "subscription", id } as const
        const spool = anId()
        const sent = (seq: number, to: number, bytes: bigint) =>
          report({ node, spool, seq, to, entries: [entry(credential, inbound.ref, bytes)] })
        yield* sent(1, noon + 10, 1n)
        yield* buckets.recordCut(key, noon + 20)
        yield* sent(2, noon + 30, 10n)
        yield* sent(3, noon + 20, 100n)
        yield* sent(4, noon + 2 * hour, 1000n)
        assert.strictEqual(yield* move(key, { start: noon + 20, end: january.end }), 1_010_000n)
        assert.strictEqual(yield* move(key, { start: january.start, end: noon + 20 }), 101_000n)
      })
    )

    it.effect("flips buckets, and clears them again", () =>
      Effect.gen(function* () {
        const buckets = yield* BucketStore.BucketStore
        const own = { kind: "subscription", id: (yield* aSubscription()).id } as const
        const owner = { kind: "owner", id: yield* aUser() } as const
        const before = yield* read(own)
        yield* buckets.flip([
          { ...own, exhaustedUntil: january.end },
          { ...owner, exhaustedUntil: Number.POSITIVE_INFINITY }
        ])
        assert.deepStrictEqual(yield* read(own), { ...before, exhaustedUntil: january.end })
        assert.strictEqual((yield* read(owner)).exhaustedUntil, Number.POSITIVE_INFINITY)
        yield* buckets.flip([{ ...owner, exhaustedUntil: null }])
        assert.strictEqual((yield* read(owner)).exhaustedUntil, null)
      })
    )

    it.effect("finds the buckets whose window has ended, soonest first", () =>
      Effect.gen(function* () {
        const buckets = yield* BucketStore.BucketStore
        const late = { kind: "owner", id: anId() } as const
        const soon = {
          kind: "subscription",
          id: (yield* aSubscription({}, { window: { start: 1, end: 3 } })).id
        } as const
        yield* buckets.insert({ ...bucketOf(late.kind, late.id), window: { start: 2, end: 4 } })
        const mine = (found: ReadonlyArray<BucketStore.BucketKey>) =>
          found.filter(({ id }) => [late.id, soon.id].includes(id))
        assert.deepStrictEqual(mine(yield* buckets.due(3, 100)), [])
        assert.deepStrictEqual(mine(yield* buckets.due(4, 100)), [soon])
        assert.deepStrictEqual(mine(yield* buckets.due(5, 100)), [soon, late])
        assert.strictEqual((yield* buckets.due(noon * 10, 1)).length, 1)
        for (const key of [late, soon]) yield* move(key, { start: 0, end: Number.POSITIVE_INFINITY })
        assert.deepStrictEqual(mine(yield* buckets.due(noon * 10, 10_000)), [])
      })
    )
  })
