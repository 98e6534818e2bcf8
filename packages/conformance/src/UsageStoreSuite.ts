/** What `UsageStore` promises beside admission: facts, settlements to the byte, and who waits for whom. */
import { assert } from "@effect/vitest"
import { BucketStore, QuarantineStore, Transaction, UsageStore } from "@vpnmgr/core"
import { Deferred, Effect, Fiber } from "effect"
import type { Capabilities, StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import {
  aNode,
  anId,
  anInbound,
  aSubscription,
  aUser,
  configFacts,
  entry,
  hour,
  january,
  noon,
  report,
  settled,
  take,
  usedIn
} from "./World.ts"

const most = 2n ** 63n - 1n

/** An owner, a node, an inbound that weighs 1.337, and a subscription. */
const aScene = Effect.fnUntraced(function* (linkSpeed: bigint | null = null) {
  const node = yield* aNode(linkSpeed)
  const inbound = yield* anInbound(node.id, 443, 1337)
  const ownerId = yield* aUser()
  const { id, credential } = yield* aSubscription({ ownerId, inboundIds: [inbound.id] })
  return { node, inbound, ownerId, id, credential }
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer, { sideBySide }: Capabilities): void =>
  describeStore(`UsageStore (${name})`, stores, (it) => {
    it.effect("adds up to the byte, weighed, whatever the batches", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const { node, inbound, ownerId, id, credential } = yield* aScene()
        const spool = anId()
        const amounts = Array.from({ length: 30 }, (_, index) => BigInt(index * 7919 + 1))
        for (const [index, up] of amounts.entries()) {
          const to = noon + index * 1000
          yield* report({ node, spool, seq: index + 1, to, entries: [entry(credential, inbound.ref, up, 2n)] })
        }
        const bytes = amounts.reduce((sum, up) => sum + up + 2n, 0n)
        assert.strictEqual(yield* usedIn("subscription", id), bytes * 1337n)
        assert.strictEqual(yield* usedIn("owner", ownerId), bytes * 1337n)
        const pieces = yield* usage.pieces(id, noon - hour, noon + hour)
        assert.deepStrictEqual(pieces, [
          { inboundId: inbound.id, at: noon - hour, up: amounts[0]!, down: 2n, weighted: (amounts[0]! + 2n) * 1337n },
          {
            inboundId: inbound.id,
            at: noon,
            up: bytes - amounts[0]! - 60n,
            down: 58n,
            weighted: (bytes - amounts[0]! - 2n) * 1337n
          }
        ])
      })
    )

    it.effect("counts the largest amounts exactly, above what 64 bits hold", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const { node, inbound, ownerId, id, credential } = yield* aScene(most)
        const spool = anId()
        for (const seq of [1, 2]) {
          yield* report({ node, spool, seq, to: noon, entries: [entry(credential, inbound.ref, most, most)] })
        }
        assert.strictEqual(yield* usedIn("subscription", id), most * 4n * 1337n)
        assert.strictEqual(yield* usedIn("owner", ownerId), most * 4n * 1337n)
        const [piece] = yield* usage.pieces(id, 0, noon)
        assert.deepInclude(piece, { up: most * 2n, down: most * 2n, weighted: most * 4n * 1337n })
        assert.deepInclude(yield* configFacts(id), { up: most * 2n, down: most * 2n })
      })
    )

    it.effect("reads pieces from one instant up to another, by time and inbound", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const node = yield* aNode()
        const inbounds = [yield* anInbound(node.id, 1), yield* anInbound(node.id, 2)]
        const { id, credential } = yield* aSubscription({ inboundIds: inbounds.map((each) => each.id) })
        const entries = inbounds.map(({ ref }) => entry(credential, ref, 1n))
        const spool = anId()
        for (const seq of [3, 1, 2]) yield* report({ node, spool, seq, to: noon + seq * hour, entries })
        const ids = inbounds.map((each) => each.id).sort()
        const seen = (yield* usage.pieces(id, noon, noon + 2 * hour)).map(({ at, inboundId }) => [at, inboundId])
        const expected = [noon, noon + hour].flatMap((at) => ids.map((inboundId) => [at, inboundId]))
        assert.deepStrictEqual(seen, expected)
        const all = yield* usage.pieces(id, 0, noon + 4 * hour)
        assert.deepStrictEqual([all.length, yield* usage.pieces(id, 0, noon + 4 * hour, 3)], [6, all.slice(0, 3)])
      })
    )

    it.effect("leaves late bytes of another window out of the current one", () =>
      Effect.gen(function* () {
        const usage = yield* UsageStore.UsageStore
        const { node, inbound, ownerId, id, credential } = yield* aScene()
        const sent = (seq: number, to: number) =>
          report({ node, spool: `${id}`, seq, to, entries: [entry(credential, inbound.ref, 1n)], receivedAt: noon })
        yield* sent(1, january.start)
        yield* sent(2, january.start + 1)
        yield* sent(3, january.end)
        const { settlement } = yield* sent(4, january.end + 1)
        assert.strictEqual(yield* usedIn("subscription", id), 2n * 1337n)
        assert.strictEqual(yield* usedIn("owner", ownerId), 2n * 1337n)
        assert.sameDeepMembers(
          [...settlement!.stale].map(({ kind, id }) => [kind, id]),
          [
            ["subscription", id],
            ["owner", ownerId]
          ]
        )
        assert.strictEqual((yield* usage.pieces(id, 0, january.end + hour)).length, 4)
      })
    )

    it.effect("answers the buckets it added to, its own additions among them", () =>
      Effect.gen(function* () {
        const { node, inbound, ownerId, id, credential } = yield* aScene()
        const other = yield* aNode()
        const far = yield* anInbound(other.id)
        const second = yield* aSubscription({ ownerId, inboundIds: [far.id] })
        yield* settled({
          node: other,
          spool: anId(),
          seq: 1,
          to: noon,
          entries: [entry(second.credential, far.ref, 9n)]
        })
        const entries = [entry(credential, inbound.ref, 1n, 2n), entry(credential, inbound.ref, 0n, 4n)]
        const { touched } = yield* settled({ node, spool: anId(), seq: 1, to: noon, entries })
        assert.sameDeepMembers(
          touched.map(({ kind, id, used }) => [kind, id, used]),
          [
            ["subscription", id, 7n * 1337n],
            ["owner", ownerId, 7n * 1337n + 9000n]
          ]
        )
        const nothing = yield* settled({
          node,
          spool: anId(),
          seq: 1,
          to: noon,
          entries: [entry(credential, inbound.ref, 0n)]
        })
        assert.deepStrictEqual(nothing.touched, [])
      })
    )

    it.effect("leaves nothing of a batch that was rolled back", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const usage = yield* UsageStore.UsageStore
        const { node, inbound, ownerId, id, credential } = yield* aScene()
        const sent = {
          node,
          spool: anId(),
          seq: 1,
          to: noon,
          entries: [entry(credential, inbound.ref, 5n), entry(-1, 0, 1n)]
        }
        yield* Effect.exit(transaction.run(Effect.andThen(take(sent), Effect.fail("no"))))
        assert.deepStrictEqual([yield* usedIn("subscription", id), yield* usedIn("owner", ownerId)], [0n, 0n])
        assert.deepStrictEqual(yield* usage.pieces(id, 0, noon), [])
        const quarantine = yield* QuarantineStore.QuarantineStore
        assert.deepStrictEqual(yield* quarantine.list({ nodeId: node.id }, { after: null, limit: 10 }), [])
        assert.strictEqual((yield* report(sent)).admission, "new")
      })
    )

    it.effect("keeps in quarantine, with its reason, what cannot be counted, and counts the rest", () =>
      Effect.gen(function* () {
        const quarantine = yield* QuarantineStore.QuarantineStore
        const { node, inbound, id, credential } = yield* aScene(8000n)
        const foreign = yield* anInbound((yield* aNode()).id)
        const stranger = yield* aSubscription()
        const entries = [
          entry(credential, inbound.ref, -(2n ** 63n), 1n),
          entry(credential, inbound.ref, most, 0n),
          entry(credential, 2 ** 31 - 1, 1n),
          entry(credential, foreign.ref, 1n),
          entry(2 ** 31 - 1, inbound.ref, 1n),
          entry(stranger.credential, inbound.ref, 1n),
          entry(credential, inbound.ref, 3n)
        ]
        yield* report({ node, spool: anId(), seq: 1, to: noon, entries })
        assert.strictEqual(yield* usedIn("subscription", id), 3n * 1337n)
        const mine = yield* quarantine.list({ nodeId: node.id }, { after: null, limit: 10 })
        const reasons = [
          "negative",
          "faster_than_link",
          "unknown_inbound",
          "foreign_inbound",
          "unknown_credential",
          "never_linked"
        ]
        assert.sameMembers(
          mine.map(({ reason }) => reason),
          reasons
        )
        const { id: recordId, ...negative } = mine.find(({ reason }) => reason === "negative")!
        assert.isString(recordId)
        assert.deepStrictEqual(negative, {
          nodeId: node.id,
          receivedAt: noon,
          from: noon - hour,
          to: noon,
          credential,
          inbound: inbound.ref,
          bytesUp: -(2n ** 63n),
          bytesDown: 1n,
          reason: "negative",
          state: "open",
          resolvedAt: null,
          resolvedBy: null,
          subscriptionId: null,
          inboundId: null
        })
      })
    )

    it.effect("makes a report wait for whoever has locked the bucket, and shows it what was changed", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const buckets = yield* BucketStore.BucketStore
        const { node, inbound, id, credential } = yield* aScene()
        const [locked, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const change = yield* transaction
          .run(
            Effect.gen(function* () {
              const [bucket] = yield* buckets.lock([{ kind: "subscription", id }])
              yield* Deferred.succeed(locked, undefined)
              yield* Deferred.await(released)
              yield* buckets.save([{ ...bucket!, window: { start: noon, end: january.end } }])
            })
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(locked)
        const sent = { node, spool: anId(), seq: 1, to: noon, entries: [entry(credential, inbound.ref, 1n)] }
        const waiting = yield* Effect.forkChild(report(sent))
        yield* Effect.sleep("100 millis")
        assert.isUndefined(waiting.pollUnsafe())
        yield* Deferred.succeed(released, undefined)
        yield* Fiber.join(change)
        assert.deepStrictEqual((yield* Fiber.join(waiting)).settlement!.current, [])
        assert.strictEqual(yield* usedIn("subscription", id), 0n)
      })
    )

    it.effect("loses no addition of many reports at once", () =>
      Effect.gen(function* () {
        const ownerId = yield* aUser()
        const nodes = yield* Effect.replicateEffect(aNode(), 3)
        const inbounds = yield* Effect.forEach(nodes, ({ id }) => anInbound(id, 443, 1337))
        const inboundIds = inbounds.map(({ id }) => id)
        const made = yield* Effect.replicateEffect(aSubscription({ ownerId, inboundIds }), 2)
        const reports = nodes.flatMap((node, index) =>
          Array.from({ length: 5 }, () =>
            report({
              node,
              spool: anId(),
              seq: 1,
              to: noon,
              entries: made.map(({ credential }) => entry(credential, inbounds[index]!.ref, 3n))
            })
          )
        )
        yield* Effect.all(reports, { concurrency: "unbounded", discard: true })
        for (const { id } of made) assert.strictEqual(yield* usedIn("subscription", id), 45n * 1337n)
        assert.strictEqual(yield* usedIn("owner", ownerId), 90n * 1337n)
      })
    )

    const sideBySideOnly = sideBySide ? it.effect : undefined
    sideBySideOnly?.("lets reports of two nodes pass beside each other though one person owns both", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const [one, two] = [yield* aScene(), yield* aNode()]
        const far = yield* anInbound(two.id)
        const second = yield* aSubscription({ ownerId: one.ownerId, inboundIds: [far.id] })
        const [recorded, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const entries = [entry(one.credential, one.inbound.ref, 1n)]
        const open = yield* transaction
          .run(
            Effect.gen(function* () {
              yield* take({ node: one.node, spool: anId(), seq: 1, to: noon, entries })
              yield* Deferred.succeed(recorded, undefined)
              yield* Deferred.await(released)
            })
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(recorded)
        const beside = report({
          node: two,
          spool: anId(),
          seq: 1,
          to: noon,
          entries: [entry(second.credential, far.ref, 1n)]
        })
        assert.strictEqual((yield* Effect.timeout(beside, "5 seconds")).admission, "new")
        yield* Deferred.succeed(released, undefined)
        yield* Fiber.join(open)
        assert.strictEqual(yield* usedIn("owner", one.ownerId), 2337n)
      })
    )
  })
