/** Credentials and spares in memory; the secrets are as open as the memory is. */
import { Effect, HashMap, Layer } from "effect"
import { CredentialStore } from "../CredentialStore.ts"
import type { Instant } from "../Instant.ts"
import { isActive, silent } from "./InventoryStore.ts"
import { Memory } from "./Memory.ts"
import { servedRevision } from "./NodeItems.ts"
import type { CredentialRow, Tables } from "./Tables.ts"
import { find, findAll } from "./Tables.ts"

const week = 7 * 86_400_000

const rows = (tables: Readonly<Tables>) => [...HashMap.values(tables.credentials)].sort((a, b) => a.ref - b.ref)

const isSpare = (row: CredentialRow) => row.secret !== null && row.isReleased && row.subscriptionId === null

const put = (tables: Tables, row: CredentialRow) => {
  tables.credentials = HashMap.set(tables.credentials, row.ref, row)
}

/** Says whether every node has confirmed a credential. */
const confirmedBy = (tables: Readonly<Tables>, nodeIds: ReadonlyArray<string>) => {
  const nodes = nodeIds.map((nodeId) => ({
    items: find(tables.nodeItems, nodeId),
    served: servedRevision(tables, nodeId)
  }))
  return ({ ref }: CredentialRow) =>
    nodes.every(({ items, served }) => {
      const revision = items === undefined ? undefined : find(items.changedAt, `credential:${ref}`)
      return revision !== undefined && served !== null && revision <= served
    })
}

const activeNodes = (tables: Readonly<Tables>, inboundIds: ReadonlyArray<string>, now: Instant) =>
  [...new Set(findAll(tables.inbounds, inboundIds).map(({ inbound }) => inbound.nodeId))].filter((nodeId) =>
    isActive(find(tables.statuses, nodeId) ?? silent, now)
  )

export const layer = Layer.effect(
  CredentialStore,
  Effect.map(Memory, ({ read, write }) =>
    CredentialStore.of({
      insert: (secrets, released) =>
        write((tables) =>
          secrets.map((secret) => {
            const ref = ++tables.lastNumber
            put(tables, {
              ref,
              secret: Uint8Array.from(secret),
              isReleased: released,
              subscriptionId: null,
              takenAt: null
            })
            return ref
          })
        ),
      take: (subscriptionId, inboundIds, now) =>
        write((tables) => {
          const spares = rows(tables).filter(isSpare)
          const spare = spares.find(confirmedBy(tables, activeNodes(tables, inboundIds, now))) ?? spares[0]
          if (spare === undefined) return null
          put(tables, { ...spare, subscriptionId, takenAt: now })
          return spare.ref
        }),
      assign: (ref, subscriptionId, now) =>
        write((tables) => {
          const row = find(tables.credentials, ref)
          if (row !== undefined) put(tables, { ...row, subscriptionId, takenAt: now })
        }),
      retire: (ref, _at) =>
        write((tables) => {
          const row = find(tables.credentials, ref)
          if (row !== undefined) put(tables, { ...row, secret: null })
        }),
      release: write((tables) => {
        const held = rows(tables).filter((row) => row.secret !== null && !row.isReleased)
        for (const row of held) put(tables, { ...row, isReleased: true })
        return held.map((row) => row.ref)
      }),
      takenSince: (since) =>
        read((tables) =>
          rows(tables)
            .filter(({ takenAt }) => takenAt !== null && takenAt > since)
            .map(({ ref }) => ref)
        ),
      pool: (now) =>
        read((tables) => {
          const all = rows(tables)
          return {
            spares: all.filter(isSpare).length,
            unreleased: all.filter((row) => row.secret !== null && !row.isReleased && row.subscriptionId !== null)
              .length,
            takenLastWeek: all.filter(({ takenAt }) => takenAt !== null && takenAt > now - week && takenAt <= now)
              .length
          }
        })
    })
  )
)
