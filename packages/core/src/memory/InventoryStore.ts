/** Nodes, their tokens and their inbounds in memory. Deleted ones stay as tombstones. */
import { Effect, HashMap, Layer } from "effect"
import type { Inbound, InboundFilter, InboundSettings } from "../Inbound.ts"
import { InventoryStore } from "../InventoryStore.ts"
import * as Listen from "../Listen.ts"
import type { NodeFilter, NodeHealth } from "../Node.ts"
import { activeFor, mostPending } from "../Node.ts"
import type { Instant } from "../Instant.ts"
import { AlreadyExists, StoreError } from "../Transaction.ts"
import { Memory } from "./Memory.ts"
import { servedRevision } from "./NodeItems.ts"
import type { NodeStatus, Tables } from "./Tables.ts"
import { byId, find, findAll, oldest, remember } from "./Tables.ts"

/** What is known of a node nobody has heard of. */
export const silent: NodeStatus = {
  reportedAt: null,
  seenAt: null,
  isCloned: false,
  servedGeneration: null,
  servedRevision: null,
  agentVersion: null,
  planeVersion: null,
  protocolVersion: null,
  lastOutcome: null,
  lastOutcomeAt: null,
  lastError: null,
  lastErrorAt: null,
  asOf: null
}

/** True while the node's reports come. */
export const isActive = (status: NodeStatus, now: Instant): boolean =>
  status.reportedAt !== null && now - status.reportedAt <= activeFor

const pendingChanges = (tables: Readonly<Tables>, id: string): number => {
  const items = find(tables.nodeItems, id)
  if (items === undefined) return 0
  const served = servedRevision(tables, id) ?? 0
  const late = [...HashMap.entries(items.changedAt)].flatMap(([key, revision]) => (revision > served ? [key] : []))
  return Math.min(mostPending, new Set([...late, ...items.dirty]).size)
}

const health = (tables: Readonly<Tables>, id: string, now: Instant): NodeHealth => {
  const { reportedAt: _, seenAt, servedGeneration: __, asOf: ___, ...said } = find(tables.statuses, id) ?? silent
  return {
    ...said,
    isActive: isActive(find(tables.statuses, id) ?? silent, now),
    lastSeenAt: seenAt,
    revision: find(tables.nodeItems, id)?.revision ?? 0,
    pendingChanges: pendingChanges(tables, id)
  }
}

const holds = (text: string | null, search: string | undefined): boolean =>
  search === undefined || (text ?? "").toLowerCase().includes(search.toLowerCase())

const same = <A>(value: A, wanted: A | undefined): boolean => wanted === undefined || value === wanted

const nodesLike = (tables: Readonly<Tables>, { geo, purpose, isActive: active, search }: NodeFilter, now: Instant) =>
  [...HashMap.values(tables.nodes)].flatMap(({ node, isDeleted }) =>
    !isDeleted &&
    same(node.geo, geo) &&
    same(node.purpose, purpose) &&
    same(isActive(find(tables.statuses, node.id) ?? silent, now), active) &&
    holds(node.description, search)
      ? [node]
      : []
  )

const living = (tables: Readonly<Tables>): ReadonlyArray<Inbound> =>
  [...HashMap.values(tables.inbounds)].flatMap(({ inbound, isDeleted }) => (isDeleted ? [] : [inbound]))

const inboundsLike = (tables: Readonly<Tables>, filter: InboundFilter) =>
  living(tables).filter(
    (inbound) =>
      same(inbound.nodeId, filter.nodeId) &&
      same(inbound.geo, filter.geo) &&
      same(inbound.purpose, filter.purpose) &&
      same(inbound.isActive, filter.isActive) &&
      same(inbound.protocol, filter.protocol) &&
      holds(inbound.host, filter.search)
  )

const inboundsOf = (tables: Readonly<Tables>, ids: ReadonlyArray<string>) =>
  byId(findAll(tables.inbounds, ids).flatMap(({ inbound, isDeleted }) => (isDeleted ? [] : [inbound])))

const isPortTaken = (tables: Readonly<Tables>, inbound: Inbound) =>
  Listen.inTheWay(
    inbound,
    living(tables).filter(({ listen }) => listen === inbound.listen)
  ) !== undefined

const portTaken = () => new StoreError({ reason: new AlreadyExists({ field: "port" }) })

const putInbound = (tables: Tables, inbound: Inbound, isDeleted = false) => {
  const multipliers = find(tables.inbounds, inbound.id)?.multipliers
  tables.inbounds = HashMap.set(tables.inbounds, inbound.id, {
    inbound,
    isDeleted,
    multipliers: multipliers ?? [{ since: inbound.createdAt, value: inbound.trafficMultiplier }]
  })
}

const revoke = (tables: Tables, id: string, at: Instant) => {
  const row = find(tables.tokens, id)
  if (row === undefined || row.token.revokedAt !== null) return
  tables.tokens = HashMap.set(tables.tokens, id, { ...row, token: { ...row.token, revokedAt: at } })
}

const deleteNode = (tables: Tables, id: string, at: Instant) => {
  const row = find(tables.nodes, id)
  if (row === undefined || row.isDeleted) return
  tables.nodes = HashMap.set(tables.nodes, id, { ...row, isDeleted: true })
  tables.nodeItems = HashMap.remove(tables.nodeItems, id)
  for (const { token } of HashMap.values(tables.tokens)) if (token.nodeId === id) revoke(tables, token.id, at)
}

const erased: InboundSettings = { protocol: "shadowsocks", serverKey: "-" }

const deleteInbound = (tables: Tables, id: string): ReadonlyArray<string> => {
  const row = find(tables.inbounds, id)
  if (row === undefined || row.isDeleted) return []
  putInbound(tables, { ...row.inbound, settings: erased, certificate: null }, true)
  const linked = [...HashMap.values(tables.subscriptions)].filter(({ subscription }) =>
    subscription.inboundIds.includes(id)
  )
  for (const each of linked) {
    const inboundIds = each.subscription.inboundIds.filter((other) => other !== id)
    const subscription = { ...each.subscription, inboundIds }
    tables.subscriptions = HashMap.set(tables.subscriptions, subscription.id, { ...each, subscription })
  }
  return linked.map(({ subscription }) => subscription.id).sort()
}

export const layer = Layer.effect(
  InventoryStore,
  Effect.map(Memory, ({ read, write }) => {
    const node = (id: string) =>
      read((tables) => {
        const row = find(tables.nodes, id)
        return row === undefined || row.isDeleted ? null : row.node
      })
    const inbounds = (ids: ReadonlyArray<string>) => read((tables) => inboundsOf(tables, ids))
    return InventoryStore.of({
      insertNode: (node) =>
        write((tables) => {
          tables.nodes = HashMap.set(tables.nodes, node.id, { node, isDeleted: false })
        }),
      updateNode: (node) =>
        write((tables) => {
          if (find(tables.nodes, node.id)?.isDeleted === false)
            tables.nodes = HashMap.set(tables.nodes, node.id, { node, isDeleted: false })
        }),
      node,
      lockNode: node,
      listNodes: (filter, page, now) => read((tables) => oldest(nodesLike(tables, filter, now), page)),
      deleteNode: (id, at) => write((tables) => deleteNode(tables, id, at)),
      health: (nodeIds, now) => read((tables) => new Map(nodeIds.map((id) => [id, health(tables, id, now)]))),
      insertToken: (token, keyHash) =>
        write((tables) => {
          tables.tokens = HashMap.set(tables.tokens, token.id, { token, keyHash })
        }),
      tokenByHash: (keyHash) =>
        read((tables) => [...HashMap.values(tables.tokens)].find((row) => row.keyHash === keyHash)?.token ?? null),
      token: (id) => read((tables) => find(tables.tokens, id)?.token ?? null),
      tokensOf: (nodeId) =>
        read((tables) =>
          byId(Array.from(HashMap.values(tables.tokens), ({ token }) => token)).filter(
            (token) => token.nodeId === nodeId
          )
        ),
      revokeToken: (id, at) => write((tables) => revoke(tables, id, at)),
      insertInbound: (inbound) =>
        write((tables) => {
          if (isPortTaken(tables, inbound)) return portTaken()
          const ref = ++tables.lastNumber
          putInbound(tables, { ...inbound, ref })
          tables.inboundsByRef = HashMap.set(tables.inboundsByRef, ref, inbound.id)
          return ref
        }),
      updateInbound: (inbound) =>
        write((tables) => {
          const row = find(tables.inbounds, inbound.id)
          if (row === undefined || row.isDeleted) return
          const after = { ...inbound, ref: row.inbound.ref, nodeId: row.inbound.nodeId }
          if (isPortTaken(tables, after)) return portTaken()
          putInbound(tables, after)
        }),
      inbounds,
      holdInbounds: inbounds,
      inboundsOnPort: (nodeId, port) =>
        read((tables) => byId(living(tables).filter((each) => each.nodeId === nodeId && each.port === port))),
      listInbounds: (filter, page) => read((tables) => oldest(inboundsLike(tables, filter), page)),
      lockInbound: (id) => read((tables) => inboundsOf(tables, [id])[0] ?? null),
      deleteInbound: (id, _at) => write((tables) => deleteInbound(tables, id)),
      recordMultiplier: (inboundId, multiplier, since) =>
        write((tables) => {
          const row = find(tables.inbounds, inboundId)
          if (row === undefined) return
          const multipliers = remember(row.multipliers, since, multiplier)
          tables.inbounds = HashMap.set(tables.inbounds, inboundId, { ...row, multipliers })
        }),
      storeCertificates: (nodeId, certificates) =>
        write((tables) =>
          certificates.flatMap(({ inbound: ref, pem }) => {
            const row = find(tables.inbounds, find(tables.inboundsByRef, ref) ?? "")
            if (row === undefined || row.isDeleted || row.inbound.nodeId !== nodeId) return []
            if (row.inbound.certificate === pem) return []
            putInbound(tables, { ...row.inbound, certificate: pem })
            return [row.inbound.id]
          })
        )
    })
  })
)
