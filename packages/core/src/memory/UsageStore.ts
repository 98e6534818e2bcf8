/** Reports and what they add up to, in memory. */
import type { BucketKey } from "../BucketStore.ts"
import { Effect, HashMap, Layer } from "effect"
import type { Instant } from "../Instant.ts"
import type { Batch } from "../TrafficReport.ts"
import type { Amount, Facts, SubscriptionFacts } from "../Usage.ts"
import { historyAt } from "../Usage.ts"
import type { Admission, BatchKey, By, Recording, UsagePiece, UsageSum } from "../UsageStore.ts"
import { UsageStore } from "../UsageStore.ts"
import { activeFor } from "../Node.ts"
import { bucketsOf, keyOf, nothing, plus } from "./BucketStore.ts"
import { silent } from "./InventoryStore.ts"
import { Memory } from "./Memory.ts"
import { keepQuarantined } from "./QuarantineStore.ts"
import { dropReports, keepConflict, keepReports, keepUse } from "./RecordStore.ts"
import type { OwnerPieceRow, OwnerUsage, Spool, Tables } from "./Tables.ts"
import { find, findAll } from "./Tables.ts"

const spoolKey = ({ nodeId, spool }: Pick<BatchKey, "nodeId" | "spool">) => `${nodeId}|${spool}`

const isBesideAnother = (tables: Readonly<Tables>, key: BatchKey) =>
  HashMap.some(
    tables.spools,
    (spool, id) =>
      spool.tokenId === key.tokenId && id !== spoolKey(key) && Math.abs(key.receivedAt - spool.lastAt) <= activeFor
  )

const admit = (tables: Tables, key: BatchKey): Admission => {
  const spool: Spool | undefined = find(tables.spools, spoolKey(key))
  const known = spool === undefined ? undefined : find(spool.keys, key.seq)
  if (known !== undefined) return known === key.digest ? "replay" : "conflict"
  if (spool !== undefined && key.seq < spool.lowest) return "rewound"
  const lowest = Math.max(spool?.lowest ?? 0, Math.min(key.lowest, key.seq))
  const keys = HashMap.set(spool?.keys ?? HashMap.empty<number, string>(), key.seq, key.digest)
  const status = find(tables.statuses, key.nodeId) ?? silent
  const isCloned = isBesideAnother(tables, key)
  tables.spools = HashMap.set(tables.spools, spoolKey(key), {
    tokenId: key.tokenId,
    lowest,
    lastAt: key.receivedAt,
    keys: HashMap.filter(keys, (_digest, seq) => seq >= lowest)
  })
  tables.statuses = HashMap.set(tables.statuses, key.nodeId, {
    ...status,
    reportedAt: key.receivedAt,
    seenAt: key.receivedAt,
    isCloned,
    asOf:
      status.asOf?.spool === key.spool && status.asOf.seq > key.seq ? status.asOf : { spool: key.spool, seq: key.seq }
  })
  return "new"
}

/** A silent spool keeps its newest key. */
const forgotten = (spool: Spool): Spool => {
  const lowest = Math.max(spool.lowest, ...HashMap.keys(spool.keys))
  return { ...spool, lowest, keys: HashMap.filter(spool.keys, (_digest, seq) => seq >= lowest) }
}

const subscriptionFacts = (tables: Readonly<Tables>, id: string): SubscriptionFacts | undefined => {
  const row = find(tables.subscriptions, id)
  const counted = find(tables.buckets, keyOf({ kind: "subscription", id }))
  return row === undefined || counted === undefined
    ? undefined
    : { id, owners: row.owners, inboundIds: row.everLinked, bucket: counted.bucket, cuts: counted.cuts }
}

const facts = (tables: Readonly<Tables>, nodeId: string, batch: Batch, to: Instant): Facts => {
  const refs = new Set(batch.entries.map(({ inbound }) => inbound))
  const credentials = findAll(
    tables.credentials,
    batch.entries.map(({ credential }) => credential)
  )
  const subscriptions = [...new Set(credentials.flatMap(({ subscriptionId }) => subscriptionId ?? []))].flatMap(
    (id) => subscriptionFacts(tables, id) ?? []
  )
  const owners = new Set(subscriptions.flatMap(({ owners }) => historyAt(owners, to) ?? []))
  return {
    linkSpeed: find(tables.nodes, nodeId)?.node.linkSpeed ?? null,
    inbounds: new Map(
      findAll(
        tables.inbounds,
        [...refs].flatMap((ref) => find(tables.inboundsByRef, ref) ?? [])
      ).map(({ inbound: { id, ref, nodeId }, multipliers }) => [ref, { id, nodeId, multipliers }])
    ),
    credentials: new Map(credentials.map(({ ref, subscriptionId }) => [ref, subscriptionId])),
    subscriptions: new Map(subscriptions.map((each) => [each.id, each])),
    owners: new Map(
      [...owners].flatMap((id) => {
        const row = find(tables.buckets, keyOf({ kind: "owner", id }))
        return row === undefined ? [] : [[id, { bucket: row.bucket, cuts: row.cuts }] as const]
      })
    )
  }
}

const addCurrent = (tables: Tables, subscriptionId: string, amount: Amount) => {
  const key = keyOf({ kind: "subscription", id: subscriptionId })
  const row = find(tables.buckets, key)
  if (row === undefined) return
  const { up, down, weighted } = plus({ up: row.up, down: row.down, weighted: row.bucket.used }, amount)
  tables.buckets = HashMap.set(tables.buckets, key, { ...row, up, down, bucket: { ...row.bucket, used: weighted } })
}

const record = (tables: Tables, recording: Recording) => {
  const { key, settlement } = recording
  const { nodeId } = key
  for (const { subscriptionId, inboundId, at, ...amount } of settlement.pieces) {
    const pieces = find(tables.pieces, subscriptionId) ?? HashMap.empty<string, UsagePiece>()
    const sum = plus(find(pieces, `${inboundId}|${at}`) ?? nothing, amount)
    const added = HashMap.set(pieces, `${inboundId}|${at}`, { inboundId, at, ...sum })
    tables.pieces = HashMap.set(tables.pieces, subscriptionId, added)
  }
  for (const { ownerId, at, ...amount } of settlement.ownerPieces) {
    const pieces = find(tables.ownerPieces, ownerId) ?? HashMap.empty<string, OwnerPieceRow>()
    const sum = plus(find(pieces, `${nodeId}|${at}`) ?? nothing, amount)
    const added = HashMap.set(pieces, `${nodeId}|${at}`, { nodeId, at, ...sum })
    tables.ownerPieces = HashMap.set(tables.ownerPieces, ownerId, added)
  }
  for (const { subscriptionId, ...amount } of settlement.current) addCurrent(tables, subscriptionId, amount)
  for (const { ownerId, windowStart, ...amount } of settlement.ownerCurrent) {
    const perNode = find(tables.ownerUsage, ownerId) ?? HashMap.empty<string, OwnerUsage>()
    const before = find(perNode, nodeId)
    const sum = plus(before?.windowStart === windowStart ? before : nothing, amount)
    tables.ownerUsage = HashMap.set(tables.ownerUsage, ownerId, HashMap.set(perNode, nodeId, { windowStart, ...sum }))
  }
  keepQuarantined(tables, recording)
  keepReports(tables, recording)
  keepUse(tables, recording)
}

const piecesOf = (tables: Readonly<Tables>, subscriptionId: string, from: Instant, to: Instant) =>
  [...HashMap.values(find(tables.pieces, subscriptionId) ?? HashMap.empty<string, UsagePiece>())]
    .filter(({ at }) => from <= at && at < to)
    .sort((a, b) => a.at - b.at || (a.inboundId < b.inboundId ? -1 : 1))

const spans = { hour: 3_600_000, day: 86_400_000 } as const

const sums = (
  tables: Readonly<Tables>,
  { kind, id }: BucketKey,
  by: By,
  from: Instant,
  to: Instant
): ReadonlyArray<UsageSum> => {
  const nodeOf = (inboundId: string) => find(tables.inbounds, inboundId)?.inbound.nodeId ?? null
  const owned = [...HashMap.values(find(tables.ownerPieces, id) ?? HashMap.empty<string, OwnerPieceRow>())]
  const pieces =
    kind === "owner"
      ? owned.filter(({ at }) => from <= at && at < to).map((piece) => ({ inboundId: null, ...piece }))
      : piecesOf(tables, id, from, to).map((piece) => ({ nodeId: nodeOf(piece.inboundId), ...piece }))
  const found = new Map<string | number, UsageSum>()
  for (const { at, inboundId, nodeId, up, down, weighted } of pieces) {
    const of = {
      at: by === "hour" || by === "day" ? Math.floor(at / spans[by]) * spans[by] : null,
      inboundId: by === "inbound" ? inboundId : null,
      nodeId: by === "node" ? nodeId : null
    }
    const key = of.at ?? of.inboundId ?? of.nodeId ?? ""
    found.set(key, { ...of, ...plus(found.get(key) ?? nothing, { up, down, weighted }) })
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum)
}

export const layer = Layer.effect(
  UsageStore,
  Effect.map(Memory, ({ read, write }) =>
    UsageStore.of({
      admit: (key) => write((tables) => admit(tables, key)),
      setAside: (key, batch, reason) => write((tables) => keepConflict(tables, key, batch, reason)),
      facts: (nodeId, batch, to) => read((tables) => facts(tables, nodeId, batch, to)),
      count: ({ entries }) => Effect.succeed({ rest: entries, weighable: [], stale: [] }),
      fold: Effect.succeed(0),
      waiting: Effect.succeed(null),
      record: (recording) => write((tables) => record(tables, recording)),
      touched: ({ current, ownerCurrent }) =>
        read((tables) =>
          bucketsOf(tables, [
            ...current.map(({ subscriptionId }) => ({ kind: "subscription", id: subscriptionId }) as const),
            ...ownerCurrent.map(({ ownerId }) => ({ kind: "owner", id: ownerId }) as const)
          ])
        ),
      pieces: (subscriptionId, from, to, limit) =>
        read((tables) => piecesOf(tables, subscriptionId, from, to).slice(0, limit)),
      sums: (key, by, from, to) => read((tables) => sums(tables, key, by, from, to)),
      retain: (before) =>
        write((tables) => {
          tables.spools = HashMap.map(tables.spools, (spool) => (spool.lastAt >= before ? spool : forgotten(spool)))
          dropReports(tables, before)
        })
    })
  )
)
