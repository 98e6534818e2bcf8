/** What is kept of every report beside its sums, in memory. */
import { Effect, HashMap, Layer } from "effect"
import type { AccessRecord } from "../AccessLog.ts"
import * as AccessLog from "../AccessLog.ts"
import type { Instant } from "../Instant.ts"
import type { ConflictBatch, RecordFilter, TrafficRecord } from "../RecordStore.ts"
import { RecordStore } from "../RecordStore.ts"
import type { Batch } from "../TrafficReport.ts"
import type { AsideReason, BatchKey, Recording } from "../UsageStore.ts"
import { Memory } from "./Memory.ts"
import type { AccessRow, Tables, TrafficRow } from "./Tables.ts"
import { find, newest, numbered } from "./Tables.ts"

const day = 86_400_000

type Kept = Pick<TrafficRecord, "subscriptionId" | "inboundId" | "nodeId" | "timestamp"> & {
  readonly ownerId: string | null
}

const isOf = ({ subscriptionId, inboundId, nodeId, ownerId, from, to }: RecordFilter) => {
  const is = <A>(wanted: A | undefined, value: A) => wanted === undefined || wanted === value
  return (row: Kept) =>
    is(subscriptionId, row.subscriptionId) &&
    is(inboundId, row.inboundId) &&
    is(nodeId, row.nodeId) &&
    is<string | null>(ownerId, row.ownerId) &&
    isBetween(row.timestamp, from, to)
}

const isBetween = (at: Instant, from: Instant | undefined, to: Instant | undefined) =>
  (from === undefined || at >= from) && (to === undefined || at < to)

/** Keeps the rows of a settlement. */
export const keepReports = (tables: Tables, { key, from, to, settlement }: Recording): void => {
  const rows = settlement.rows.map(
    ({ subscriptionId, inboundId, ownerId, up, down }): readonly [string, TrafficRow] => {
      const id = numbered(tables, to)
      const { nodeId, receivedAt } = key
      const record = { id, subscriptionId, inboundId, nodeId, bytesUp: up, bytesDown: down, from, timestamp: to }
      return [id, { record, ownerId, receivedAt }]
    }
  )
  tables.reports = HashMap.setMany(tables.reports, rows)
}

/** The span that an interval adds to: the newest of its owner while that is open, else one that began with it. */
const spanFor = (spans: ReadonlyArray<AccessRow>, ownerId: string | null, from: Instant, to: Instant) => {
  const earlier = spans
    .filter((span) => span.ownerId === ownerId && span.record.timestamp <= to)
    .map(({ record }) => record)
  const [last] = newest(earlier, { after: null, limit: 1 })
  return last !== undefined && AccessLog.continues({ startedAt: last.timestamp, endedAt: last.endedAt }, from, to)
    ? last
    : earlier.find(({ timestamp }) => timestamp === from)
}

/** Continues the newest span of each (subscription, inbound) of the same owner, or opens one. */
export const keepUse = (tables: Tables, { key, from, to, settlement }: Recording): void => {
  for (const { subscriptionId, inboundId, ownerId, up, down } of settlement.rows) {
    const place = `${subscriptionId}|${inboundId}`
    const spans = find(tables.accessLog, place) ?? HashMap.empty<string, AccessRow>()
    const open = spanFor([...HashMap.values(spans)], ownerId, from, to)
    const record: AccessRecord =
      open !== undefined
        ? { ...open, endedAt: Math.max(open.endedAt, to), bytesUp: open.bytesUp + up, bytesDown: open.bytesDown + down }
        : {
            id: numbered(tables, from),
            timestamp: from,
            endedAt: to,
            subscriptionId,
            inboundId,
            nodeId: key.nodeId,
            bytesUp: up,
            bytesDown: down,
            authTokenId: key.tokenId,
            note: null
          }
    tables.accessLog = HashMap.set(tables.accessLog, place, HashMap.set(spans, record.id, { record, ownerId }))
  }
}

/** Keeps a batch whose number was used before; answers whether it was not kept already. */
export const keepConflict = (tables: Tables, key: BatchKey, batch: Batch, reason: AsideReason): boolean => {
  const { nodeId, tokenId, spool, seq, digest, receivedAt } = key
  const isKept = (other: ConflictBatch) =>
    other.nodeId === nodeId && other.spool === spool && other.seq === seq && other.digest === digest
  if (HashMap.some(tables.conflicts, isKept)) return false
  const { from, to, entries } = batch
  const id = numbered(tables, receivedAt)
  const conflict: ConflictBatch = { id, nodeId, tokenId, spool, seq, digest, reason, receivedAt, from, to, entries }
  tables.conflicts = HashMap.set(tables.conflicts, id, conflict)
  return true
}

/** Drops raw reports of days before that of `before`, batches set aside and what was resolved of the quarantine. */
export const dropReports = (tables: Tables, before: Instant): void => {
  const edge = Math.floor(before / day) * day
  tables.reports = HashMap.filter(tables.reports, ({ receivedAt }) => receivedAt >= edge)
  tables.conflicts = HashMap.filter(tables.conflicts, ({ receivedAt }) => receivedAt >= before)
  tables.quarantine = HashMap.filter(
    tables.quarantine,
    ({ entry }) => entry.state === "open" || entry.receivedAt >= before
  )
}

export const layer = Layer.effect(
  RecordStore,
  Effect.map(Memory, ({ read, write }) =>
    RecordStore.of({
      trafficReports: (filter, page) =>
        read(({ reports }) => {
          const wanted = isOf(filter)
          return newest(
            [...HashMap.values(reports)].flatMap(({ record, ownerId }) =>
              wanted({ ...record, ownerId }) ? [record] : []
            ),
            page
          )
        }),
      accessLog: ({ authTokenId, ...filter }, page) =>
        read(({ accessLog }) => {
          const wanted = isOf(filter)
          return newest(
            [...HashMap.values(accessLog)].flatMap((spans) =>
              [...HashMap.values(spans)].flatMap(({ record, ownerId }) =>
                wanted({ ...record, ownerId }) && (authTokenId === undefined || record.authTokenId === authTokenId)
                  ? [record]
                  : []
              )
            ),
            page
          )
        }),
      conflicts: ({ nodeId, from, to }, page) =>
        read(({ conflicts }) =>
          newest(
            [...HashMap.values(conflicts)].filter(
              (row) => (nodeId === undefined || row.nodeId === nodeId) && isBetween(row.receivedAt, from, to)
            ),
            page
          ).map(({ entries, ...row }) => ({ ...row, entryCount: entries.length }))
        ),
      conflict: (id) => read(({ conflicts }) => find(conflicts, id) ?? null),
      retainAccessLog: (before) =>
        write((tables) => {
          let dropped = 0
          tables.accessLog = HashMap.map(tables.accessLog, (spans) => {
            const kept = HashMap.filter(spans, ({ record }) => record.timestamp >= before)
            dropped += HashMap.size(spans) - HashMap.size(kept)
            return kept
          })
          return dropped
        })
    })
  )
)
