/** A small world for store tests: nodes, inbounds, people and subscriptions with ids of their own. */
import type { Inbound, Limits, Quota, Subscription, TrafficReport } from "@vpnmgr/core"
import {
  BucketStore,
  CredentialStore,
  Id,
  InventoryStore,
  SubscriptionStore,
  Transaction,
  Usage,
  UsageStore,
  UserStore
} from "@vpnmgr/core"
import { Effect } from "effect"

/** Noon of a day long past, a whole hour. */
export const noon = Date.UTC(2026, 0, 15, 12)

export const hour = 3_600_000

/** A fresh id. */
export const anId = (): string => crypto.randomUUID()

/** A fresh id that sorts by this instant. */
export const anIdOf = (at: number): string => Id.v7(at, crypto.getRandomValues(new Uint8Array(10)))

/** A window around `noon`: the whole of January. */
export const january = { start: Date.UTC(2026, 0, 1), end: Date.UTC(2026, 1, 1) }

export interface NodeWithToken {
  readonly id: string
  readonly tokenId: string
}

/** Stores a node with a token. */
export const aNode = Effect.fn("World.aNode")(function* (linkSpeed: bigint | null = null) {
  const inventory = yield* InventoryStore.InventoryStore
  const id = anId()
  const text = { description: null, geo: null, purpose: null }
  yield* inventory.insertNode({ id, ...text, linkSpeed, createdAt: noon, updatedAt: noon })
  const tokenId = anId()
  yield* inventory.insertToken({ id: tokenId, nodeId: id, createdAt: noon, revokedAt: null }, anId())
  return { id, tokenId }
})

/** A Shadowsocks inbound, not stored. */
export const inboundOn = (nodeId: string, port: number): Inbound.Inbound => ({
  id: anId(),
  ref: 0,
  nodeId,
  host: "vpn.example.org",
  port,
  listen: "::",
  protocol: "shadowsocks",
  network: "tcp,udp",
  tls: false,
  geo: null,
  purpose: null,
  isActive: true,
  trafficMultiplier: 1000,
  settings: { protocol: "shadowsocks", serverKey: "AAAAAAAAAAAAAAAAAAAAAA==" },
  certificate: null,
  createdAt: noon - 24 * hour,
  updatedAt: noon - 24 * hour
})

/** Stores an inbound and answers it with its number. */
export const anInbound = Effect.fn("World.anInbound")(function* (nodeId: string, port = 443, trafficMultiplier = 1000) {
  const inventory = yield* InventoryStore.InventoryStore
  const inbound = { ...inboundOn(nodeId, port), trafficMultiplier }
  return { ...inbound, ref: yield* inventory.insertInbound(inbound) }
})

/** A bucket in January without a limit. */
export const bucketOf = (kind: Quota.BucketKind, id: string): Quota.Bucket => ({
  kind,
  id,
  ref: 0,
  maxTraffic: null,
  period: "P1M",
  anchor: january.start,
  cut: null,
  window: january,
  used: 0n,
  exhaustedUntil: null
})

/** Stores a user with a bucket, and answers its id. */
export const aUser = Effect.fn("World.aUser")(function* (groupIds: ReadonlyArray<string> = []) {
  const users = yield* UserStore.UserStore
  const buckets = yield* BucketStore.BucketStore
  const id = anId()
  yield* users.insertUser(
    { id, username: `u.${id}`, role: "operator", groupIds, isDisabled: false, createdAt: noon, updatedAt: noon },
    "$"
  )
  yield* buckets.insert(bucketOf("owner", id))
  return id
})

/** Stores a group with these limits, and answers its id. */
export const aGroup = Effect.fn("World.aGroup")(function* (limits: Limits.Limits) {
  const users = yield* UserStore.UserStore
  const id = anId()
  yield* users.insertGroup({ id, name: `g.${id}`, ...limits, createdAt: noon, updatedAt: noon })
  return id
})

/** 32 bytes that no other credential has. */
export const aSecret = (): Uint8Array => crypto.getRandomValues(new Uint8Array(32))

/** A subscription to store, linked to these inbounds. */
export const draft = (
  credential: number,
  fields: Partial<Subscription.Subscription> = {}
): Subscription.Subscription => {
  const id = anId()
  return {
    id,
    link: id,
    ownerId: null,
    title: null,
    description: null,
    expiresAt: null,
    maxTraffic: null,
    maxSpeed: null,
    trafficResetPeriod: "P1M",
    isSuspended: false,
    anchor: january.start,
    inboundIds: [],
    credential,
    createdAt: noon,
    updatedAt: noon,
    ...fields
  }
}

/** Stores a subscription with a credential the nodes may know, and a bucket. */
export const aSubscription = Effect.fn("World.aSubscription")(function* (
  fields: Partial<Subscription.Subscription> = {},
  bucket: Partial<Quota.Bucket> = {}
) {
  const credentials = yield* CredentialStore.CredentialStore
  const subscriptions = yield* SubscriptionStore.SubscriptionStore
  const buckets = yield* BucketStore.BucketStore
  const transaction = yield* Transaction.Transaction
  return yield* transaction.run(
    Effect.gen(function* () {
      const [credential] = yield* credentials.insert([aSecret()], false)
      const subscription = draft(credential!, fields)
      yield* credentials.assign(credential!, subscription.id, noon)
      yield* credentials.release
      yield* subscriptions.insert(subscription)
      yield* buckets.insert({ ...bucketOf("subscription", subscription.id), ...bucket })
      return subscription
    })
  )
})

/** One counter: what a credential passed through an inbound. */
export const entry = (
  credential: number,
  inbound: number,
  bytesUp: bigint,
  bytesDown: bigint = 0n
): TrafficReport.Entry => ({ credential, inbound, bytesUp, bytesDown })

export interface Sent {
  readonly node: NodeWithToken
  readonly spool: string
  readonly seq: number
  readonly from?: number
  readonly to: number
  readonly entries: ReadonlyArray<TrafficReport.Entry>
  readonly lowest?: number
  readonly receivedAt?: number
  readonly digest?: string
}

/** The key of what was sent. */
export const keyOf = ({
  node,
  spool,
  seq,
  to,
  lowest = 1,
  receivedAt = to,
  digest = "d"
}: Sent): UsageStore.BatchKey => ({
  nodeId: node.id,
  tokenId: node.tokenId,
  spool,
  seq,
  digest,
  lowest,
  receivedAt
})

/** Admits, settles and records a batch by everything that is known of it, inside the caller's transaction. */
export const settle = Effect.fn("World.settle")(function* (sent: Sent) {
  const usage = yield* UsageStore.UsageStore
  const { node, spool, seq, to, from = to - hour, entries } = sent
  const key = keyOf(sent)
  const admission = yield* usage.admit(key)
  if (admission !== "new") return { admission, settlement: null, touched: [] }
  const facts = yield* usage.facts(node.id, { spool, seq, from, to, entries }, to)
  const settlement = Usage.settle({ nodeId: node.id, entries, from, to, facts, grain: hour })
  yield* usage.record({ key, from, to, shift: 0, settlement })
  return { admission, settlement, touched: yield* usage.touched(settlement) }
})

/**
 * Takes a batch as the rules do, inside the caller's transaction: what is plain is counted at once, the rest is settled.
 * The settlement is that of the rest.
 */
export const take = Effect.fn("World.take")(function* (sent: Sent) {
  const usage = yield* UsageStore.UsageStore
  const buckets = yield* BucketStore.BucketStore
  const { node, spool, seq, to, from = to - hour, entries } = sent
  const key = keyOf(sent)
  const admission = yield* usage.admit(key)
  if (admission !== "new") return { admission, settlement: null, touched: [] }
  const { rest, weighable } = yield* usage.count({ key, from, to, shift: 0, entries, grain: hour })
  const facts = yield* usage.facts(node.id, { spool, seq, from, to, entries: rest }, to)
  const settlement = Usage.settle({ nodeId: node.id, entries: rest, from, to, facts, grain: hour })
  yield* usage.record({ key, from, to, shift: 0, settlement })
  return { admission, settlement, touched: yield* buckets.read([...weighable, ...Usage.addedTo(settlement)]) }
})

/** Folds everything that waits. */
export const folded = Effect.gen(function* () {
  const usage = yield* UsageStore.UsageStore
  while ((yield* usage.fold) > 0);
})

/** `settle` in a transaction of its own. */
export const settled = Effect.fn("World.settled")(function* (sent: Sent) {
  const transaction = yield* Transaction.Transaction
  return yield* transaction.run(settle(sent))
})

/** `take` in a transaction of its own. */
export const report = Effect.fn("World.report")(function* (sent: Sent) {
  const transaction = yield* Transaction.Transaction
  return yield* transaction.run(take(sent))
})

/** What is used in a bucket now. */
export const usedIn = Effect.fn("World.usedIn")(function* (kind: Quota.BucketKind, id: string) {
  const buckets = yield* BucketStore.BucketStore
  const [bucket] = yield* buckets.read([{ kind, id }])
  return bucket!.used
})

/** What one link's config needs; null for a link that leads nowhere. */
export const configFacts = Effect.fn("World.configFacts")(function* (link: string) {
  const subscriptions = yield* SubscriptionStore.SubscriptionStore
  const [facts] = yield* subscriptions.forConfigs([link])
  return facts ?? null
})
