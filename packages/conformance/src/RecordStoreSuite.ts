/** What `RecordStore` promises: every row that was reported is found by what it is of, newest first, page by page. */
import { assert } from "@effect/vitest"
import type { AuditLog } from "@vpnmgr/core"
import { AccessLog, RecordStore, SubscriptionStore, Transaction, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import * as fc from "fast-check"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aNode, anId, anInbound, aSubscription, aUser, entry, folded, hour, keyOf, noon, report } from "./World.ts"

const all = { after: null, limit: 1000 }
const minute = 60_000

interface Counted {
  readonly subscriptionId: string
  readonly inboundId: string
  readonly nodeId: string
  readonly ownerId: string | null
  readonly tokenId: string
  readonly from: number
  readonly to: number
  readonly up: bigint
  readonly down: bigint
}

/** Two nodes, three inbounds, three subscriptions of two owners and of nobody, one of which changes hands at noon. */
const aWorld = Effect.gen(function* () {
  const subscriptions = yield* SubscriptionStore.SubscriptionStore
  const nodes = [yield* aNode(), yield* aNode()]
  const inbounds = [
    yield* anInbound(nodes[0]!.id, 1),
    yield* anInbound(nodes[0]!.id, 2),
    yield* anInbound(nodes[1]!.id, 1)
  ]
  const owners = [yield* aUser(), yield* aUser()]
  const inboundIds = inbounds.map(({ id }) => id)
  const made = [
    yield* aSubscription({ ownerId: owners[0]!, inboundIds }),
    yield* aSubscription({ ownerId: owners[1]!, inboundIds }),
    yield* aSubscription({ inboundIds })
  ]
  yield* subscriptions.recordOwner(made[0]!.id, owners[1]!, noon)
  const ownerAt = (index: number, to: number): string | null =>
    index === 2 ? null : owners[index === 0 && to <= noon ? 0 : 1]!
  return { nodes, inbounds, owners, subscriptions: made, ownerAt }
})

/** Reports for three hours around noon, and a naive list of what they said. */
const aHistory = Effect.gen(function* () {
  const world = yield* aWorld
  const counted: Array<Counted> = []
  for (const [place, node] of world.nodes.entries()) {
    const spool = anId()
    for (let step = 0; step < 18; step++) {
      const to = noon - 90 * minute + step * 10 * minute
      const from = to - 2 * minute
      const told = world.inbounds.filter(({ nodeId }) => nodeId === node.id)
      const rows = told.flatMap((inbound, at) =>
        world.subscriptions.flatMap(({ id, credential }, index) =>
          (step + at + index) % 3 === 0
            ? []
            : [{ inbound, id, credential, index, up: BigInt(step + 1), down: BigInt(100 * place + index + 1) }]
        )
      )
      const entries = rows.map(({ inbound, credential, up, down }) => entry(credential, inbound.ref, up, down))
      yield* report({ node, spool, seq: step + 1, from, to, entries })
      for (const { inbound, id, index, up, down } of rows) {
        const ownerId = world.ownerAt(index, to)
        const { id: nodeId, tokenId } = node
        counted.push({ subscriptionId: id, inboundId: inbound.id, nodeId, ownerId, tokenId, from, to, up, down })
      }
    }
  }
  yield* folded
  return { ...world, counted }
})

/** The naive spans of use: in order, added to the newest one of the same owner that is still open. */
const spansOf = (counted: ReadonlyArray<Counted>) => {
  const spans: Array<{ -readonly [K in keyof Counted]: Counted[K] }> = []
  for (const each of [...counted].sort((a, b) => a.to - b.to)) {
    const last = spans.findLast(
      (span) =>
        span.subscriptionId === each.subscriptionId &&
        span.inboundId === each.inboundId &&
        span.ownerId === each.ownerId
    )
    if (
      last !== undefined &&
      each.from - last.to <= AccessLog.idleFor &&
      each.to - last.from <= AccessLog.longestSpan
    ) {
      last.to = each.to
      last.up += each.up
      last.down += each.down
    } else spans.push({ ...each })
  }
  return spans
}

const matches =
  ({ subscriptionId, inboundId, nodeId, ownerId, from, to }: RecordStore.RecordFilter, at: "from" | "to") =>
  (row: Counted) =>
    (subscriptionId === undefined || row.subscriptionId === subscriptionId) &&
    (inboundId === undefined || row.inboundId === inboundId) &&
    (nodeId === undefined || row.nodeId === nodeId) &&
    (ownerId === undefined || row.ownerId === ownerId) &&
    (from === undefined || row[at] >= from) &&
    (to === undefined || row[at] < to)

const told = (row: Counted, at: number) =>
  [at, row.subscriptionId, row.inboundId, row.nodeId, row.from, row.to, row.up, row.down].join(" ")

/** Walks a list by its cursor, pages of seven. */
const walk = Effect.fnUntraced(function* <A extends { readonly id: string }, E>(
  list: (page: AuditLog.Page) => Effect.Effect<ReadonlyArray<A>, E>
) {
  const walked: Array<A> = []
  for (let after: string | null = null; ;) {
    const page: ReadonlyArray<A> = yield* list({ after, limit: 7 })
    walked.push(...page)
    if (page.length < 7) return walked
    after = page.at(-1)!.id
  }
})

const aFilter = ({ nodes, inbounds, owners, subscriptions }: Effect.Success<typeof aHistory>) => {
  const maybe = <A>(values: ReadonlyArray<A>) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 2 })
  const instants = fc.integer({ min: -12, max: 12 }).map((step) => noon + step * 10 * minute)
  return fc
    .record({
      subscriptionId: maybe([...subscriptions.map(({ id }) => id), anId()]),
      inboundId: maybe(inbounds.map(({ id }) => id)),
      nodeId: maybe(nodes.map(({ id }) => id)),
      ownerId: maybe(owners),
      from: fc.option(instants, { nil: undefined }),
      to: fc.option(instants, { nil: undefined })
    })
    .map(
      (filter) =>
        Object.fromEntries(
          Object.entries(filter).filter(([, value]) => value !== undefined)
        ) as RecordStore.RecordFilter
    )
}

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`RecordStore (${name})`, stores, (it) => {
    it.effect("answers to every filter what a naive search finds in what was reported", () =>
      Effect.gen(function* () {
        const records = yield* RecordStore.RecordStore
        const history = yield* aHistory
        const mine = new Set(history.subscriptions.map(({ id }) => id))
        const spans = spansOf(history.counted)
        let found = 0
        for (const filter of [{}, ...fc.sample(aFilter(history), 60)]) {
          const rows = (yield* records.trafficReports(filter, all)).filter((row) => mine.has(row.subscriptionId))
          assert.deepStrictEqual(
            rows
              .map((row) =>
                told(
                  { ...row, ownerId: null, tokenId: "", to: row.timestamp, up: row.bytesUp, down: row.bytesDown },
                  row.timestamp
                )
              )
              .sort(),
            history.counted
              .filter(matches(filter, "to"))
              .map((row) => told(row, row.to))
              .sort(),
            JSON.stringify(filter)
          )
          const uses = (yield* records.accessLog(filter, all)).filter((row) => mine.has(row.subscriptionId))
          assert.deepStrictEqual(
            uses
              .map((row) =>
                told(
                  {
                    ...row,
                    ownerId: null,
                    tokenId: "",
                    from: row.timestamp,
                    to: row.endedAt,
                    up: row.bytesUp,
                    down: row.bytesDown
                  },
                  row.timestamp
                )
              )
              .sort(),
            spans
              .filter(matches(filter, "from"))
              .map((row) => told(row, row.from))
              .sort(),
            JSON.stringify(filter)
          )
          found += rows.length + uses.length
        }
        assert.isAtLeast(found, history.counted.length)
      })
    )

    it.effect("turns pages without leaving out or repeating a row, the newest first", () =>
      Effect.gen(function* () {
        const records = yield* RecordStore.RecordStore
        const { subscriptions, nodes, counted } = yield* aHistory
        const filter = { subscriptionId: subscriptions[0]!.id }
        const rows = yield* walk((page) => records.trafficReports(filter, page))
        assert.deepStrictEqual(rows, yield* records.trafficReports(filter, all))
        assert.strictEqual(
          rows.length,
          counted.filter(({ subscriptionId }) => subscriptionId === filter.subscriptionId).length
        )
        assert.strictEqual(new Set(rows.map(({ id }) => id)).size, rows.length)
        assert.deepStrictEqual(
          rows.map(({ timestamp }) => timestamp),
          rows.map(({ timestamp }) => timestamp).sort((a, b) => b - a)
        )
        const uses = yield* walk((page) => records.accessLog({ nodeId: nodes[0]!.id }, page))
        assert.deepStrictEqual(uses, yield* records.accessLog({ nodeId: nodes[0]!.id }, all))
        assert.isAbove(uses.length, 7)
      })
    )

    it.effect("keeps who reported a use, and opens another span for another owner", () =>
      Effect.gen(function* () {
        const records = yield* RecordStore.RecordStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const [first, second] = [yield* aUser(), yield* aUser()]
        const { id, credential } = yield* aSubscription({ ownerId: first, inboundIds: [inbound.id] })
        yield* subscriptions.recordOwner(id, second, noon + 90_000)
        const spool = anId()
        for (const seq of [1, 2, 3]) {
          const to = noon + seq * minute
          yield* report({ node, spool, seq, from: to - minute, to, entries: [entry(credential, inbound.ref, 1n, 2n)] })
        }
        yield* folded
        const span = {
          subscriptionId: id,
          inboundId: inbound.id,
          nodeId: node.id,
          authTokenId: node.tokenId,
          note: null
        }
        const uses = yield* records.accessLog({ authTokenId: node.tokenId }, all)
        assert.deepStrictEqual(
          uses.map(({ id: _, ...use }) => use),
          [
            { ...span, timestamp: noon + minute, endedAt: noon + 3 * minute, bytesUp: 2n, bytesDown: 4n },
            { ...span, timestamp: noon, endedAt: noon + minute, bytesUp: 1n, bytesDown: 2n }
          ]
        )
        assert.deepStrictEqual(yield* records.accessLog({ ownerId: first }, all), [uses[1]!])
        assert.deepStrictEqual(yield* records.accessLog({ authTokenId: anId() }, all), [])
      })
    )

    it.effect("drops spans that began before an instant, and no other", () =>
      Effect.gen(function* () {
        const records = yield* RecordStore.RecordStore
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const { id, credential } = yield* aSubscription({ inboundIds: [inbound.id] })
        const past = Date.UTC(2001, 0, 1)
        const spool = anId()
        for (const seq of [1, 2, 3]) {
          const to = past + seq * hour
          yield* report({ node, spool, seq, from: to - minute, to, entries: [entry(credential, inbound.ref, 1n)] })
        }
        yield* folded
        assert.isAtLeast(yield* records.retainAccessLog(past + 2 * hour - minute), 1)
        const kept = yield* records.accessLog({ subscriptionId: id }, all)
        assert.deepStrictEqual(
          kept.map(({ timestamp }) => timestamp),
          [past + 3 * hour - minute, past + 2 * hour - minute]
        )
      })
    )

    it.effect("keeps a batch set aside whole, and finds it by node and time", () =>
      Effect.gen(function* () {
        const records = yield* RecordStore.RecordStore
        const usage = yield* UsageStore.UsageStore
        const transaction = yield* Transaction.Transaction
        const node = yield* aNode()
        const spool = anId()
        const entries = [entry(1, 2, -3n, 2n ** 62n), entry(4, 5, 6n)]
        const batches = [1, 2, 3].map((seq) => ({ spool, seq, from: noon - hour, to: noon, entries }))
        for (const batch of batches) {
          const key = keyOf({ node, ...batch, receivedAt: noon + batch.seq * hour, digest: `d${batch.seq}` })
          yield* transaction.run(usage.setAside(key, batch, batch.seq === 2 ? "rewound" : "conflict"))
        }
        const { id: nodeId, tokenId } = node
        const found = yield* records.conflicts({ nodeId }, { after: null, limit: 2 })
        const rest = yield* records.conflicts({ nodeId }, { after: found[1]!.id, limit: 2 })
        const common = { nodeId, tokenId, spool, from: noon - hour, to: noon }
        assert.deepStrictEqual(
          [...found, ...rest].map(({ id: _, ...conflict }) => conflict),
          [3, 2, 1].map((seq) => ({
            ...common,
            seq,
            digest: `d${seq}`,
            reason: seq === 2 ? ("rewound" as const) : ("conflict" as const),
            receivedAt: noon + seq * hour,
            entryCount: 2
          }))
        )
        const { entryCount: _, ...whole } = found[0]!
        assert.deepStrictEqual(yield* records.conflict(whole.id), { ...whole, entries })
        assert.isNull(yield* records.conflict(anId()))
        const between = yield* records.conflicts({ nodeId, from: noon + 2 * hour, to: noon + 3 * hour }, all)
        assert.deepStrictEqual(
          between.map(({ seq }) => seq),
          [2]
        )
        yield* usage.retain(noon + 2 * hour)
        const kept = yield* records.conflicts({ nodeId }, all)
        assert.deepStrictEqual(
          kept.map(({ seq }) => seq),
          [3, 2],
          "older ones are let go"
        )
      })
    )
  })
