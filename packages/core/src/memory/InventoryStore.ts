/** Nodes, their tokens and their inbounds in memory. */
import { Effect, HashMap, Layer } from "effect"
import type { Inbound } from "../Inbound.ts"
import { InventoryStore } from "../InventoryStore.ts"
import type { NodeHealth } from "../Node.ts"
import { activeFor } from "../Node.ts"
import type { Instant } from "../Instant.ts"
import { AlreadyExists, StoreError } from "../Transaction.ts"
import { Memory } from "./Memory.ts"
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
  lastError: null,
  asOf: null
}

/** True while the node's reports come. */
export const isActive = (status: NodeStatus, now: Instant): boolean =>
  status.reportedAt !== null && now - status.reportedAt <= activeFor

const health = (tables: Readonly<Tables>, id: string, now: Instant): NodeHealth => {
  const status = find(tables.statuses, id) ?? silent
  return {
    isActive: isActive(status, now),
    lastSeenAt: status.seenAt,
    revision: find(tables.nodeItems, id)?.revision ?? 0,
    servedRevision: status.servedRevision,
    agentVersion: status.agentVersion,
    planeVersion: status.planeVersion,
    lastError: status.lastError,
    isCloned: status.isCloned
  }
}

const transports = (inbound: Inbound) => inbound.network.split(",")

const isPortTaken = (tables: Readonly<Tables>, inbound: Inbound) =>
  HashMap.some(
    tables.inbounds,
    ({ inbound: other }) =>
      other.id !== inbound.id &&
      other.nodeId === inbound.nodeId &&
      other.port === inbound.port &&
      transports(other).some((transport) => transports(inbound).includes(transport))
  )

const portTaken = () => new StoreError({ reason: new AlreadyExists({ field: "port" }) })

const inboundsOf = (tables: Readonly<Tables>) => Array.from(HashMap.values(tables.inbounds), ({ inbound }) => inbound)

const putInbound = (tables: Tables, inbound: Inbound) => {
  const multipliers = find(tables.inbounds, inbound.id)?.multipliers
  tables.inbounds = HashMap.set(tables.inbounds, inbound.id, {
    inbound,
    multipliers: multipliers ?? [{ since: inbound.createdAt, value: inbound.trafficMultiplier }]
  })
}

export const layer = Layer.effect(
  InventoryStore,
  Effect.map(Memory, ({ read, write }) =>
    InventoryStore.of({
      insertNode: (node) =>
        write((tables) => {
          tables.nodes = HashMap.set(tables.nodes, node.id, node)
        }),
      updateNode: (node) =>
        write((tables) => {
          if (HashMap.has(tables.nodes, node.id)) tables.nodes = HashMap.set(tables.nodes, node.id, node)
        }),
      node: (id) => read((tables) => find(tables.nodes, id) ?? null),
      listNodes: (page) => read((tables) => oldest(HashMap.values(tables.nodes), page)),
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
      revokeToken: (id, at) =>
        write((tables) => {
          const row = find(tables.tokens, id)
          if (row === undefined || row.token.revokedAt !== null) return
          tables.tokens = HashMap.set(tables.tokens, id, { ...row, token: { ...row.token, revokedAt: at } })
        }),
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
          const before = find(tables.inbounds, inbound.id)?.inbound
          if (before === undefined) return
          const after = { ...inbound, ref: before.ref, nodeId: before.nodeId }
          if (isPortTaken(tables, after)) return portTaken()
          putInbound(tables, after)
        }),
      inbounds: (ids) => read((tables) => byId(findAll(tables.inbounds, ids).map(({ inbound }) => inbound))),
      listInbounds: (nodeId, page) =>
        read((tables) =>
          oldest(
            inboundsOf(tables).filter((inbound) => nodeId === null || inbound.nodeId === nodeId),
            page
          )
        ),
      lockInbound: (id) => read((tables) => find(tables.inbounds, id)?.inbound ?? null),
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
            if (row === undefined || row.inbound.nodeId !== nodeId || row.inbound.certificate === pem) return []
            putInbound(tables, { ...row.inbound, certificate: pem })
            return [row.inbound.id]
          })
        )
    })
  )
)
