/** The quarantine in memory. */
import { Effect, HashMap, Layer } from "effect"
import { QuarantineStore } from "../QuarantineStore.ts"
import type { Recording } from "../UsageStore.ts"
import { Memory } from "./Memory.ts"
import type { Tables } from "./Tables.ts"
import { find, newest, numbered } from "./Tables.ts"

const unresolved = { state: "open", resolvedAt: null, resolvedBy: null, subscriptionId: null, inboundId: null } as const

/** Keeps what a settlement could not count. */
export const keepQuarantined = (tables: Tables, { key, from, to, settlement }: Recording): void => {
  const { nodeId, tokenId, spool, seq, receivedAt } = key
  for (const { entry, reason } of settlement.quarantined) {
    const id = numbered(tables, receivedAt)
    const row = { id, nodeId, receivedAt, from, to, ...entry, reason, ...unresolved }
    tables.quarantine = HashMap.set(tables.quarantine, id, { entry: row, source: { tokenId, spool, seq } })
  }
}

export const layer = Layer.effect(
  QuarantineStore,
  Effect.map(Memory, ({ read, write }) =>
    QuarantineStore.of({
      list: ({ nodeId, reason, state, from, to }, page) =>
        read(({ quarantine }) =>
          newest(
            Array.from(HashMap.values(quarantine), ({ entry }) => entry).filter(
              (entry) =>
                (nodeId === undefined || entry.nodeId === nodeId) &&
                (reason === undefined || entry.reason === reason) &&
                (state === undefined || entry.state === state) &&
                (from === undefined || entry.receivedAt >= from) &&
                (to === undefined || entry.receivedAt < to)
            ),
            page
          )
        ),
      get: (id) => read(({ quarantine }) => find(quarantine, id) ?? null),
      resolve: (id, resolution) =>
        write((tables) => {
          const row = find(tables.quarantine, id)
          if (row?.entry.state !== "open") return false
          const resolved = { ...row, entry: { ...row.entry, ...resolution } }
          tables.quarantine = HashMap.set(tables.quarantine, id, resolved)
          return true
        })
    })
  )
)
