/** Subscriptions in memory. A deleted one stays as a tombstone, without what a person typed. */
import { Effect, HashMap, Layer } from "effect"
import * as Precondition from "../Precondition.ts"
import type { Subscription } from "../Subscription.ts"
import type { Filter } from "../SubscriptionList.ts"
import * as List from "../SubscriptionList.ts"
import type { ConfigFacts } from "../SubscriptionStore.ts"
import { SubscriptionStore } from "../SubscriptionStore.ts"
import { AlreadyExists, StoreError } from "../Transaction.ts"
import { keyOf } from "./BucketStore.ts"
import { Memory } from "./Memory.ts"
import type { SubscriptionRow, Tables } from "./Tables.ts"
import { byId, find, findAll, remember } from "./Tables.ts"

const linkTaken = () => new StoreError({ reason: new AlreadyExists({ field: "link" }) })

const put = (tables: Tables, row: SubscriptionRow) => {
  const { id, link } = row.subscription
  const before = find(tables.subscriptions, id)
  if (before !== undefined && before.subscription.link !== link) {
    tables.subscriptionsByLink = HashMap.remove(tables.subscriptionsByLink, before.subscription.link)
  }
  if (!row.isDeleted) tables.subscriptionsByLink = HashMap.set(tables.subscriptionsByLink, link, id)
  tables.subscriptions = HashMap.set(tables.subscriptions, id, row)
}

/** The row of one that is not deleted. */
const living = (tables: Readonly<Tables>, id: string): SubscriptionRow | undefined => {
  const row = find(tables.subscriptions, id)
  return row?.isDeleted === false ? row : undefined
}

const distinct = (ids: ReadonlyArray<string>) => [...new Set(ids)].sort()

const relink = (
  tables: Tables,
  id: string,
  at: number,
  next: (before: ReadonlyArray<string>) => ReadonlyArray<string>
) => {
  const row = living(tables, id)
  if (row === undefined) return
  const before = row.subscription.inboundIds
  const inboundIds = distinct(next(before))
  if (inboundIds.length === before.length) return
  const updatedAt = Precondition.next(row.subscription.updatedAt, at)
  const everLinked = new Set([...row.everLinked, ...inboundIds])
  put(tables, { ...row, everLinked, subscription: { ...row.subscription, inboundIds, updatedAt } })
}

const configFacts = (tables: Readonly<Tables>, link: string): ConfigFacts | null => {
  const row = living(tables, find(tables.subscriptionsByLink, link) ?? "")
  if (row === undefined) return null
  const { subscription } = row
  const { id, ownerId, credential, inboundIds } = subscription
  const counted = find(tables.buckets, keyOf({ kind: "subscription", id }))
  const secret = find(tables.credentials, credential)?.secret
  if (counted === undefined || secret === undefined || secret === null) return null
  const { expiresAt, isSuspended, title } = subscription
  const owner = find(tables.buckets, keyOf({ kind: "owner", id: ownerId ?? "" }))
  return {
    id,
    ownerId,
    title,
    expiresAt,
    isSuspended,
    maxTraffic: counted.bucket.maxTraffic,
    windowEnd: counted.bucket.window.end,
    ownExhaustedUntil: counted.bucket.exhaustedUntil,
    ownerExhaustedUntil: owner?.bucket.exhaustedUntil ?? null,
    credentialSecret: secret,
    up: counted.up,
    down: counted.down,
    inbounds: byId(findAll(tables.inbounds, inboundIds).map(({ inbound }) => inbound))
  }
}

const factsOf = (tables: Readonly<Tables>, { id, ownerId, isSuspended, expiresAt }: Subscription) => ({
  isSuspended,
  expiresAt,
  ownExhaustedUntil: find(tables.buckets, keyOf({ kind: "subscription", id }))?.bucket.exhaustedUntil ?? null,
  ownerExhaustedUntil: find(tables.buckets, keyOf({ kind: "owner", id: ownerId ?? "" }))?.bucket.exhaustedUntil ?? null
})

const keeps = (tables: Readonly<Tables>, filter: Filter, subscription: Subscription): boolean => {
  const { ownerId, inboundId, nodeId, expiresBefore, state, search } = filter
  const isOn = (id: string) => find(tables.inbounds, id)?.inbound.nodeId === nodeId
  return (
    (ownerId === undefined || subscription.ownerId === ownerId) &&
    (inboundId === undefined || subscription.inboundIds.includes(inboundId)) &&
    (nodeId === undefined || subscription.inboundIds.some(isOn)) &&
    (expiresBefore === undefined || (subscription.expiresAt !== null && subscription.expiresAt < expiresBefore)) &&
    (state === undefined || List.isIn(state, factsOf(tables, subscription))) &&
    (search === undefined || List.finds(search, subscription))
  )
}

const list = (tables: Readonly<Tables>, filter: Filter, { sort = "id", after, limit }: List.Page) => {
  const compare = List.compare(sort)
  return [...HashMap.values(tables.subscriptions)]
    .filter(({ subscription, isDeleted }) => !isDeleted && keeps(tables, filter, subscription))
    .map(({ subscription }) => ({ subscription, position: List.position(sort, subscription) }))
    .filter(({ position }) => after === null || compare(position, after) > 0)
    .sort((a, b) => compare(a.position, b.position))
    .slice(0, limit)
    .map(({ subscription }) => subscription)
}

export const layer = Layer.effect(
  SubscriptionStore,
  Effect.map(Memory, ({ read, write }) =>
    SubscriptionStore.of({
      insert: (subscription) =>
        write((tables) => {
          if (HashMap.has(tables.subscriptionsByLink, subscription.link)) return linkTaken()
          const inboundIds = distinct(subscription.inboundIds)
          put(tables, {
            subscription: { ...subscription, inboundIds },
            isDeleted: false,
            owners: [{ since: Number.NEGATIVE_INFINITY, value: subscription.ownerId }],
            everLinked: new Set(inboundIds)
          })
        }),
      update: (subscription) =>
        write((tables) => {
          const row = living(tables, subscription.id)
          if (row === undefined) return
          const holder = find(tables.subscriptionsByLink, subscription.link)
          if (holder !== undefined && holder !== subscription.id) return linkTaken()
          put(tables, { ...row, subscription: { ...subscription, inboundIds: row.subscription.inboundIds } })
        }),
      get: (id) => read((tables) => living(tables, id)?.subscription ?? null),
      countOwned: (ownerId) =>
        read(
          (tables) =>
            [...HashMap.values(tables.subscriptions)].filter(
              ({ isDeleted, subscription }) => !isDeleted && subscription.ownerId === ownerId
            ).length
        ),
      list: (filter, page) => read((tables) => list(tables, filter, page)),
      byIds: (ids) => read((tables) => [...new Set(ids)].flatMap((id) => living(tables, id)?.subscription ?? [])),
      linkInbound: (inboundId, { link, unlink }, at) =>
        write((tables) => {
          for (const id of link) relink(tables, id, at, (before) => [...before, inboundId])
          for (const id of unlink) relink(tables, id, at, (before) => before.filter((each) => each !== inboundId))
        }),
      setInbounds: (id, inboundIds, _at) =>
        write((tables) => {
          const row = living(tables, id)
          if (row === undefined) return
          put(tables, {
            ...row,
            subscription: { ...row.subscription, inboundIds: distinct(inboundIds) },
            everLinked: new Set([...row.everLinked, ...inboundIds])
          })
        }),
      recordOwner: (id, ownerId, since) =>
        write((tables) => {
          const row = find(tables.subscriptions, id)
          if (row !== undefined) put(tables, { ...row, owners: remember(row.owners, since, ownerId) })
        }),
      delete: (id, _at) =>
        write((tables) => {
          const row = living(tables, id)
          if (row === undefined) return
          put(tables, {
            ...row,
            isDeleted: true,
            subscription: { ...row.subscription, title: null, description: null, link: "", inboundIds: [] }
          })
        }),
      forConfigs: (links) => read((tables) => links.map((link) => configFacts(tables, link)))
    })
  )
)
