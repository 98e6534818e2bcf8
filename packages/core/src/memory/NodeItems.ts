/** Which items of which nodes are dirty, and at which revision each was last changed. */
import { HashMap } from "effect"
import type { BucketKey } from "../BucketStore.ts"
import { keyOf } from "./BucketStore.ts"
import { generationKey } from "./SettingStore.ts"
import type { NodeItems, Tables } from "./Tables.ts"
import { find, findAll } from "./Tables.ts"

export type ItemKind = "inbound" | "credential" | "bucket"

/** The key of an item among its node's. */
export const itemKey = (kind: ItemKind, ref: number): string => `${kind}:${ref}`

/** What a node without any item has. */
export const fresh: NodeItems = { revision: 0, changedAt: HashMap.empty(), dirty: new Set() }

/** The newest revision the node says it serves, of this store's generation; null before its first word. */
export const servedRevision = (tables: Readonly<Tables>, nodeId: string): number | null => {
  const status = find(tables.statuses, nodeId)
  return status !== undefined && status.servedGeneration === find(tables.settings, generationKey)
    ? status.servedRevision
    : null
}

/** Marks items of nodes; those that are deleted are told nothing. */
export const mark = (tables: Tables, nodeIds: Iterable<string>, keys: ReadonlyArray<string>): void => {
  for (const nodeId of new Set(nodeIds)) {
    if (find(tables.nodes, nodeId)?.isDeleted === true) continue
    const items = find(tables.nodeItems, nodeId) ?? fresh
    tables.nodeItems = HashMap.set(tables.nodeItems, nodeId, { ...items, dirty: new Set([...items.dirty, ...keys]) })
  }
}

/** The nodes of these inbounds. */
export const nodesOf = (tables: Readonly<Tables>, inboundIds: Iterable<string>): ReadonlyArray<string> => [
  ...new Set(findAll(tables.inbounds, inboundIds).map(({ inbound }) => inbound.nodeId))
]

/** The nodes that have an inbound. */
export const nodesWithInbounds = (tables: Readonly<Tables>): ReadonlyArray<string> =>
  nodesOf(tables, HashMap.keys(HashMap.filter(tables.inbounds, ({ isDeleted }) => !isDeleted)))

/** Keys of the buckets' items; unknown ones are left out. */
export const bucketItems = (tables: Readonly<Tables>, keys: ReadonlyArray<BucketKey>): ReadonlyArray<string> =>
  findAll(tables.buckets, keys.map(keyOf)).map(({ bucket }) => itemKey("bucket", bucket.ref))

/** The buckets a subscription draws from. */
export const drawsFrom = (subscription: {
  readonly id: string
  readonly ownerId: string | null
}): ReadonlyArray<BucketKey> => [
  { kind: "subscription", id: subscription.id },
  ...(subscription.ownerId === null ? [] : [{ kind: "owner", id: subscription.ownerId } as const])
]

/** Marks what nodes are told of a subscription wherever it is or was linked. */
export const markSubscription = (tables: Tables, id: string): void => {
  const row = find(tables.subscriptions, id)
  if (row === undefined) return
  mark(tables, nodesOf(tables, row.everLinked), [
    itemKey("credential", row.subscription.credential),
    ...bucketItems(tables, drawsFrom(row.subscription))
  ])
}

/** Marks buckets on the nodes where somebody who draws from them is linked. */
export const markBuckets = (tables: Tables, keys: ReadonlyArray<BucketKey>): void => {
  const owners = new Set(keys.flatMap(({ kind, id }) => (kind === "owner" ? [id] : [])))
  const linked = new Map<string, Array<string>>()
  const link = (key: BucketKey, inboundIds: ReadonlyArray<string>) =>
    linked.set(keyOf(key), [...(linked.get(keyOf(key)) ?? []), ...nodesOf(tables, inboundIds)])
  for (const { id } of keys.filter(({ kind }) => kind === "subscription")) {
    link({ kind: "subscription", id }, find(tables.subscriptions, id)?.subscription.inboundIds ?? [])
  }
  if (owners.size > 0) {
    for (const { subscription } of HashMap.values(tables.subscriptions)) {
      const { ownerId, inboundIds } = subscription
      if (ownerId !== null && owners.has(ownerId)) link({ kind: "owner", id: ownerId }, inboundIds)
    }
  }
  for (const key of keys) mark(tables, linked.get(keyOf(key)) ?? [], bucketItems(tables, [key]))
}
