/**
 * What `SubscriptionStore.list` promises: walked page by page, every filter in every order gives what a naive look at
 * everything gives.
 */
import { assert } from "@effect/vitest"
import type { Subscription } from "@vpnmgr/core"
import { BucketStore, SubscriptionList, SubscriptionStore } from "@vpnmgr/core"
import { Effect } from "effect"
import * as fc from "fast-check"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aNode, anInbound, aSubscription, aUser, hour, noon } from "./World.ts"

/** A subscription as the naive look sees it. */
interface Known {
  readonly row: Subscription.Subscription
  readonly nodeIds: ReadonlyArray<string>
  readonly ownUntil: number | null
  readonly ownerUntil: number | null
}

const instants = [noon - hour, noon, noon + hour]
const orNever = fc.constantFrom(null, ...instants)
const until = fc.constantFrom(null, ...instants, Infinity)

const letters = ["a", "A", "b", "%", "_", "\\", "'", '"', "{", ",", " ", "é", "É", "ж", "Ж", "～", "😀", "𐐀", "𐐨"]
const words = (most: number) => fc.array(fc.constantFrom(...letters), { maxLength: most }).map((some) => some.join(""))

const row = fc.record({
  owner: fc.constantFrom(null, 0, 1),
  title: fc.option(words(8)),
  description: fc.option(words(12)),
  expiresAt: orNever,
  isSuspended: fc.boolean(),
  createdAt: fc.constantFrom(...instants),
  inbounds: fc.subarray([0, 1, 2]),
  wasLinked: fc.boolean(),
  isDeleted: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  ownUntil: until
})

const world = fc.record({ rows: fc.array(row, { minLength: 6, maxLength: 14 }), owners: fc.tuple(until, until) })

const query = fc.record({
  owner: fc.constantFrom(undefined, undefined, null, 0, 1),
  inbound: fc.constantFrom(undefined, undefined, undefined, 0, 1, 2),
  node: fc.constantFrom(undefined, undefined, undefined, 0, 1),
  expiresBefore: fc.constantFrom(undefined, undefined, ...instants),
  state: fc.constantFrom(undefined, "suspended", "expired", "over_limit", "active"),
  at: fc.constantFrom(...instants, noon + 1),
  search: fc.oneof(
    fc.constant(undefined),
    words(4).filter((text) => text !== ""),
    fc.record({ row: fc.nat(13), start: fc.nat(6), length: fc.integer({ min: 1, max: 5 }), isId: fc.boolean() })
  ),
  sort: fc.constantFrom(...SubscriptionList.Sort.literals),
  limit: fc.integer({ min: 1, max: 5 })
})
type Query = typeof query extends fc.Arbitrary<infer A> ? A : never

const stateOf = ({ row, ownUntil, ownerUntil }: Known, at: number) => {
  if (row.isSuspended) return "suspended"
  if (row.expiresAt !== null && row.expiresAt <= at) return "expired"
  return [ownUntil, ownerUntil].some((end) => end !== null && end > at) ? "over_limit" : "active"
}

const points = (text: string) => Array.from(text, (letter) => letter.codePointAt(0)!)

/** Orders values of one kind: lists of code points, or numbers. */
const order = (a: number | Array<number>, b: number | Array<number>): number => {
  const [x, y] = [[a].flat(), [b].flat()]
  const at = x.findIndex((value, n) => value !== y[n])
  return at < 0 ? x.length - y.length : at >= y.length ? 1 : x[at]! - y[at]!
}

const valueOf = (row: Subscription.Subscription, by: string) =>
  by === "title"
    ? points((row.title ?? "").toLowerCase())
    : by === "created_at"
      ? row.createdAt
      : by === "expires_at"
        ? (row.expiresAt ?? Number.MAX_SAFE_INTEGER)
        : 0

const make = Effect.fnUntraced(function* ({ rows, owners }: typeof world extends fc.Arbitrary<infer A> ? A : never) {
  const subscriptions = yield* SubscriptionStore.SubscriptionStore
  const buckets = yield* BucketStore.BucketStore
  const ownerIds = [yield* aUser(), yield* aUser()]
  const nodes = [yield* aNode(), yield* aNode()]
  const inbounds = yield* Effect.forEach([0, 0, 1], (node, n) => anInbound(nodes[node]!.id, n + 1))
  yield* buckets.flip(owners.map((exhaustedUntil, n) => ({ kind: "owner", id: ownerIds[n]!, exhaustedUntil })))
  const known: Array<Known> = []
  for (const { owner, inbounds: linked, wasLinked, isDeleted, ownUntil, ...fields } of rows) {
    const ownerId = owner === null ? null : ownerIds[owner]!
    const inboundIds = linked.map((n) => inbounds[n]!.id).sort()
    const first = wasLinked ? inbounds.map(({ id }) => id) : []
    const made = yield* aSubscription({ ...fields, ownerId, inboundIds: first })
    yield* subscriptions.setInbounds(made.id, inboundIds, noon)
    yield* buckets.flip([{ kind: "subscription", id: made.id, exhaustedUntil: ownUntil }])
    if (isDeleted) yield* subscriptions.delete(made.id, noon)
    else
      known.push({
        row: { ...made, inboundIds },
        nodeIds: linked.map((n) => inbounds[n]!.nodeId),
        ownUntil,
        ownerUntil: owner === null ? null : owners[owner]!
      })
  }
  return { known, ownerIds, nodes, inbounds }
})

type Made = Effect.Success<ReturnType<typeof make>>

const searchOf = ({ known }: Made, search: Query["search"]): string | undefined => {
  if (typeof search !== "object") return search
  const { row } = known[search.row % Math.max(1, known.length)] ?? {}
  const text = (search.isId ? row?.id.slice(0, 9) : [...(row?.title ?? "")].slice(search.start).join("")) ?? ""
  return [...text].slice(0, search.isId ? 9 : search.length).join("") || undefined
}

const naive = (made: Made, asked: Query, search: string | undefined): ReadonlyArray<Subscription.Subscription> => {
  const { owner, inbound, node, expiresBefore, state, at, sort } = asked
  const sign = sort.startsWith("-") ? -1 : 1
  const by = sort.replace("-", "")
  const text = search?.toLowerCase()
  return made.known
    .filter(
      (each) =>
        (owner === undefined || each.row.ownerId === (owner === null ? null : made.ownerIds[owner])) &&
        (inbound === undefined || each.row.inboundIds.includes(made.inbounds[inbound]!.id)) &&
        (node === undefined || each.nodeIds.includes(made.nodes[node]!.id)) &&
        (expiresBefore === undefined || (each.row.expiresAt !== null && each.row.expiresAt < expiresBefore)) &&
        (state === undefined || stateOf(each, at) === state) &&
        (text === undefined ||
          each.row.title?.toLowerCase().includes(text) === true ||
          each.row.description?.toLowerCase().includes(text) === true ||
          each.row.id.startsWith(text))
    )
    .map(({ row }) => row)
    .sort((a, b) => sign * (order(valueOf(a, by), valueOf(b, by)) || (a.id < b.id ? -1 : 1)))
}

const filterOf = (made: Made, asked: Query, search: string | undefined): SubscriptionList.Filter => {
  const { owner, inbound, node, expiresBefore, state, at } = asked
  return {
    ...(owner === undefined ? {} : { ownerId: owner === null ? null : made.ownerIds[owner]! }),
    ...(inbound === undefined ? {} : { inboundId: made.inbounds[inbound]!.id }),
    ...(node === undefined ? {} : { nodeId: made.nodes[node]!.id }),
    ...(expiresBefore === undefined ? {} : { expiresBefore }),
    ...(state === undefined ? {} : { state: { is: state as "active", at } }),
    ...(search === undefined ? {} : { search })
  }
}

/** Walks a list from its beginning to its end. The store may hold others' subscriptions: those are left out. */
const walk = Effect.fnUntraced(function* (
  made: Made,
  filter: SubscriptionList.Filter,
  { sort, limit }: Pick<Query, "sort" | "limit">
) {
  const subscriptions = yield* SubscriptionStore.SubscriptionStore
  const mine = new Set(made.known.map(({ row }) => row.id))
  const found: Array<Subscription.Subscription> = []
  for (let after: SubscriptionList.Position | null = null; ;) {
    const page: ReadonlyArray<Subscription.Subscription> = yield* subscriptions.list(filter, { sort, after, limit })
    assert.isAtMost(page.length, limit)
    found.push(...page.filter(({ id }) => mine.has(id)))
    if (page.length < limit) return found
    after = SubscriptionList.position(sort, page.at(-1)!)
  }
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`SubscriptionStore, lists (${name})`, stores, (it) => {
    it.effect("gives what a naive look at everything gives: every filter, order and size of page", () =>
      Effect.gen(function* () {
        const seed = crypto.getRandomValues(new Int32Array(1))[0]!
        for (const sample of fc.sample(world, { numRuns: 5, seed })) {
          const made = yield* make(sample)
          for (const asked of fc.sample(query, { numRuns: 40, seed: seed + made.known.length })) {
            const search = searchOf(made, asked.search)
            const found = yield* walk(made, filterOf(made, asked, search), asked)
            const said = JSON.stringify({ seed, ...asked, search })
            assert.deepStrictEqual(found, naive(made, asked, search), said)
          }
        }
      })
    )

    it.effect(
      "takes %, _ and backslash in a search as they are, upper and lower case as one, and the beginning of an id",
      () =>
        Effect.gen(function* () {
          const subscriptions = yield* SubscriptionStore.SubscriptionStore
          const ownerId = yield* aUser()
          const titles = ["50% off", "50 off", "a_b", "aXb", "back\\slash", "ΟΔΟΣ", "Straße", null]
          const made = yield* Effect.forEach(titles, (title) => aSubscription({ ownerId, title, description: "note" }))
          const find = (search: string) =>
            Effect.map(subscriptions.list({ ownerId, search }, { after: null, limit: 10 }), (found) =>
              found.map(({ title }) => title).sort()
            )
          assert.deepStrictEqual(yield* find("50%"), ["50% off"])
          assert.deepStrictEqual(yield* find("%"), ["50% off"])
          assert.deepStrictEqual(yield* find("A_B"), ["a_b"])
          assert.deepStrictEqual(yield* find("\\"), ["back\\slash"])
          assert.deepStrictEqual(yield* find("οδος"), ["ΟΔΟΣ"])
          assert.deepStrictEqual(yield* find("STRASSE"), ["Straße"])
          assert.strictEqual((yield* find("NOTE")).length, titles.length)
          assert.deepStrictEqual(yield* find("notes"), [])
          assert.deepStrictEqual(yield* find("'; --"), [])
          for (const length of [8, 9, 20, 36])
            assert.deepStrictEqual(yield* find(made[7]!.id.slice(0, length).toUpperCase()), [null])
          assert.deepStrictEqual(yield* find(made[7]!.id.slice(1)), [])
        })
    )

    it.effect("finds nothing of what was deleted, and what was changed by its new words", () =>
      Effect.gen(function* () {
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const ownerId = yield* aUser()
        const [gone, kept] = [
          yield* aSubscription({ ownerId, title: "Ann" }),
          yield* aSubscription({ ownerId, title: "Bob" })
        ]
        const find = (search: string) =>
          Effect.map(subscriptions.list({ ownerId, search }, { after: null, limit: 10 }), (found) => found.length)
        assert.strictEqual(yield* find("ann"), 1)
        yield* subscriptions.delete(gone.id, noon)
        yield* subscriptions.update({ ...kept, title: "Cid" })
        assert.deepStrictEqual([yield* find("ann"), yield* find("bob"), yield* find("cid")], [0, 0, 1])
      })
    )
  })
