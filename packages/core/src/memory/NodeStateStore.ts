/** What nodes are to be told, in memory. */
import { Effect, HashMap, Layer, Stream } from "effect"
import type { NodeConvergence } from "../Convergence.ts"
import { progress } from "../Convergence.ts"
import type { BucketKey } from "../BucketStore.ts"
import type { Changed, RosterEntry, StateFacts } from "../NodeStateStore.ts"
import { NodeStateStore } from "../NodeStateStore.ts"
import { bucketsOf } from "./BucketStore.ts"
import { silent } from "./InventoryStore.ts"
import { Memory } from "./Memory.ts"
import type { ItemKind } from "./NodeItems.ts"
import * as Items from "./NodeItems.ts"
import { generationKey } from "./SettingStore.ts"
import type { CredentialRow, NodeItems, SubscriptionRow, Tables } from "./Tables.ts"
import { byId, find, findAll } from "./Tables.ts"

const inboundsOf = (tables: Readonly<Tables>, nodeId: string) =>
  [...HashMap.values(tables.inbounds)].flatMap(({ inbound, isDeleted }) =>
    isDeleted || inbound.nodeId !== nodeId ? [] : [inbound]
  )

/** The living subscriptions linked on the node, by credential, with the refs of their inbounds there. */
const linkedOn = (tables: Readonly<Tables>, nodeId: string) => {
  const refs = new Map(inboundsOf(tables, nodeId).map(({ id, ref }) => [id, ref]))
  const linked = new Map<number, { readonly row: SubscriptionRow; readonly inbounds: ReadonlyArray<number> }>()
  for (const row of HashMap.values(tables.subscriptions)) {
    const inbounds = row.subscription.inboundIds.flatMap((id) => refs.get(id) ?? []).sort((a, b) => a - b)
    if (inbounds.length > 0) linked.set(row.subscription.credential, { row, inbounds })
  }
  return linked
}

const refOf = (tables: Readonly<Tables>, kind: "subscription" | "owner", id: string | null) =>
  id === null ? null : (bucketsOf(tables, [{ kind, id }])[0]?.ref ?? null)

const roster = (tables: Readonly<Tables>, nodeId: string): ReadonlyArray<RosterEntry> => {
  const linked = linkedOn(tables, nodeId)
  const entry = ({ ref, secret, isReleased, subscriptionId }: CredentialRow): ReadonlyArray<RosterEntry> => {
    if (secret === null || !isReleased) return []
    if (subscriptionId === null) return [{ ref, secret, subscription: null }]
    const found = linked.get(ref)
    if (found === undefined) return []
    const { id, ownerId, isSuspended, expiresAt } = found.row.subscription
    const bucket = refOf(tables, "subscription", id)
    if (bucket === null) return []
    const ownerBucket = refOf(tables, "owner", ownerId)
    return [{ ref, secret, subscription: { isSuspended, expiresAt, inbounds: found.inbounds, bucket, ownerBucket } }]
  }
  return [...HashMap.values(tables.credentials)].sort((a, b) => a.ref - b.ref).flatMap(entry)
}

const changedSince = (items: NodeItems, since: number, kind: ItemKind): ReadonlyArray<number> =>
  [...HashMap.entries(items.changedAt)]
    .flatMap(([key, revision]) => (revision > since && key.startsWith(`${kind}:`) ? [Number(key.split(":")[1])] : []))
    .sort((a, b) => a - b)

const generationOf = (tables: Readonly<Tables>) => find(tables.settings, generationKey)!

const revisionOf = (tables: Readonly<Tables>, nodeId: string) => find(tables.nodeItems, nodeId)?.revision ?? 0

const isRevoked = (tables: Readonly<Tables>, tokenId: string) =>
  typeof find(tables.tokens, tokenId)?.token.revokedAt === "number"

const load = (tables: Readonly<Tables>, nodeId: string, since: number | null): StateFacts => {
  const items = find(tables.nodeItems, nodeId) ?? Items.fresh
  const changed =
    since === null
      ? null
      : {
          inbounds: changedSince(items, since, "inbound"),
          credentials: changedSince(items, since, "credential"),
          buckets: changedSince(items, since, "bucket")
        }
  const linked = [...linkedOn(tables, nodeId).values()].map(({ row }) => row.subscription)
  const buckets = bucketsOf(tables, linked.flatMap(Items.drawsFrom))
  return {
    generation: generationOf(tables),
    revision: items.revision,
    asOf: find(tables.statuses, nodeId)?.asOf ?? null,
    inbounds: inboundsOf(tables, nodeId).sort((a, b) => a.ref - b.ref),
    credentials: roster(tables, nodeId).filter(({ ref }) => changed === null || changed.credentials.includes(ref)),
    buckets: buckets.filter(({ ref }) => changed === null || changed.buckets.includes(ref)),
    changed
  }
}

const assign = (tables: Tables, assigned: (nodeId: string) => void) => {
  const dirty = byId(
    [...HashMap.entries(tables.nodeItems)].flatMap(([id, items]) => (items.dirty.size > 0 ? [{ id, items }] : []))
  )
  return dirty.map(({ id: nodeId, items }) => {
    const revision = items.revision + 1
    const changedAt = HashMap.setMany(
      items.changedAt,
      [...items.dirty].map((key) => [key, revision] as const)
    )
    tables.nodeItems = HashMap.set(tables.nodeItems, nodeId, { revision, changedAt, dirty: new Set() })
    assigned(nodeId)
    return { nodeId, revision }
  })
}

const convergence = (tables: Readonly<Tables>, subscriptionId: string): ReadonlyArray<NodeConvergence> => {
  const row = find(tables.subscriptions, subscriptionId)
  if (row === undefined) return []
  const { credential, inboundIds } = row.subscription
  const isReleased = find(tables.credentials, credential)?.isReleased === true
  const credentialKey = Items.itemKey("credential", credential)
  const keys = [credentialKey, ...Items.bucketItems(tables, Items.drawsFrom(row.subscription))]
  return [...Items.nodesOf(tables, inboundIds)].sort().map((nodeId) => {
    const items = find(tables.nodeItems, nodeId) ?? Items.fresh
    const served = Items.servedRevision(tables, nodeId)
    const converged =
      isReleased &&
      served !== null &&
      HashMap.has(items.changedAt, credentialKey) &&
      keys.every((key) => !items.dirty.has(key) && (find(items.changedAt, key) ?? 0) <= served)
    const { seenAt, lastOutcome, lastError } = find(tables.statuses, nodeId) ?? silent
    const state = progress(converged, lastOutcome)
    return { nodeId, converged, state, lastError: state === "failed" ? lastError : null, lastSeenAt: seenAt }
  })
}

const markInbounds = (tables: Tables, ids: ReadonlyArray<string>, withRoster: boolean) => {
  for (const { inbound } of findAll(tables.inbounds, ids)) {
    const credentials = withRoster ? roster(tables, inbound.nodeId) : []
    Items.mark(
      tables,
      [inbound.nodeId],
      [Items.itemKey("inbound", inbound.ref), ...credentials.map(({ ref }) => Items.itemKey("credential", ref))]
    )
  }
}

export const layer = Layer.effect(
  NodeStateStore,
  Effect.map(Memory, ({ read, write, dirtied, assigned, hearers }) => {
    const marking = (f: (tables: Tables) => void, ...what: ReadonlyArray<Changed>) =>
      write((tables, announce) => {
        f(tables)
        announce.marked()
        what.forEach(announce.changed)
      })
    const idsOf = (keys: ReadonlyArray<BucketKey>, kind: BucketKey["kind"]) =>
      keys.filter((key) => key.kind === kind).map(({ id }) => id)
    return NodeStateStore.of({
      markSubscriptions: (ids) =>
        marking((tables) => ids.forEach((id) => Items.markSubscription(tables, id)), { kind: "subscription", ids }),
      markCredential: (ref, subscriptionId) =>
        marking((tables) =>
          Items.mark(tables, Items.nodesOf(tables, find(tables.subscriptions, subscriptionId)?.everLinked ?? []), [
            Items.itemKey("credential", ref)
          ])
        ),
      markSpares: (refs) =>
        marking((tables) =>
          Items.mark(
            tables,
            Items.nodesWithInbounds(tables),
            refs.map((ref) => Items.itemKey("credential", ref))
          )
        ),
      markBuckets: (keys) =>
        marking(
          (tables) => Items.markBuckets(tables, keys),
          ...(["subscription", "owner"] as const).map((kind) => ({ kind, ids: idsOf(keys, kind) }))
        ),
      markInbounds: (ids, options) =>
        marking((tables) => markInbounds(tables, ids, options.roster), { kind: "everything" }),
      assign: write((tables, announce) => assign(tables, announce.assigned)),
      head: (nodeId, tokenId) =>
        read((tables) => ({
          generation: generationOf(tables),
          revision: revisionOf(tables, nodeId),
          isRevoked: isRevoked(tables, tokenId ?? "")
        })),
      outdated: (waiting) =>
        read((tables) =>
          waiting.flatMap(({ generation, nodeId, revision, tokenId }, place) => {
            const isSame = generation === generationOf(tables) && revision === revisionOf(tables, nodeId)
            return isSame && !isRevoked(tables, tokenId) ? [] : [place]
          })
        ),
      wake: (nodeId) => write((_, announce) => announce.assigned(nodeId)),
      load: (nodeId, since) => read((tables) => load(tables, nodeId, since)),
      recordApplied: (nodeId, report, protocolVersion, at) =>
        write((tables) => {
          const status = find(tables.statuses, nodeId) ?? silent
          const isApplied = report.outcome === "applied"
          tables.statuses = HashMap.set(tables.statuses, nodeId, {
            ...status,
            seenAt: at,
            servedGeneration: isApplied ? report.generation : status.servedGeneration,
            servedRevision: isApplied ? report.revision : status.servedRevision,
            agentVersion: report.agentVersion,
            planeVersion: report.planeVersion,
            protocolVersion,
            lastOutcome: report.outcome,
            lastOutcomeAt: at,
            lastError: isApplied ? status.lastError : report.detail,
            lastErrorAt: isApplied ? status.lastErrorAt : at
          })
        }),
      convergence: (subscriptionId) => read((tables) => convergence(tables, subscriptionId)),
      dirtied: Stream.fromPubSub(dirtied),
      assigned: Stream.fromPubSub(assigned),
      hearChanges: (hear) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => hearers.add(hear)),
            () => Effect.sync(() => hearers.delete(hear))
          )
        ),
      isListening: () => true
    })
  })
)
