/** Buckets in memory. An owner's usage is kept per node and summed when read, as in every store. */
import { Effect, HashMap, Layer } from "effect"
import type { BucketKey } from "../BucketStore.ts"
import { BucketStore } from "../BucketStore.ts"
import type { Bucket } from "../Quota.ts"
import { weigh } from "../Quota.ts"
import type { Amount } from "../Usage.ts"
import type { Window } from "../Window.ts"
import { Memory } from "./Memory.ts"
import type { BucketRow, OwnerUsage, Tables } from "./Tables.ts"
import { byId, find } from "./Tables.ts"

/** The key of a bucket's row. */
export const keyOf = ({ kind, id }: BucketKey): string => `${kind}|${id}`

export const nothing: Amount = { up: 0n, down: 0n, weighted: 0n }

/** Adds two amounts. */
export const plus = (a: Amount, b: Amount): Amount => ({
  up: a.up + b.up,
  down: a.down + b.down,
  weighted: a.weighted + b.weighted
})

/** Reads a bucket with what was used in its window. */
export const bucketOf = (tables: Readonly<Tables>, key: BucketKey): Bucket | undefined => {
  const bucket = find(tables.buckets, keyOf(key))?.bucket
  if (bucket === undefined || bucket.kind === "subscription") return bucket
  const perNode = find(tables.ownerUsage, bucket.id) ?? HashMap.empty<string, OwnerUsage>()
  const used = [...HashMap.values(perNode)]
    .filter(({ windowStart }) => windowStart === bucket.window.start)
    .reduce((sum, { weighted }) => sum + weighted, 0n)
  return { ...bucket, used }
}

/** Subscriptions' before owners', each by id. */
export const bucketsOf = (tables: Readonly<Tables>, keys: Iterable<BucketKey>): ReadonlyArray<Bucket> => {
  const distinct = new Map(Array.from(keys, (key) => [keyOf(key), key]))
  const found = [...distinct.values()].flatMap((key) => bucketOf(tables, key) ?? [])
  return [
    ...byId(found.filter(({ kind }) => kind === "subscription")),
    ...byId(found.filter(({ kind }) => kind === "owner"))
  ]
}

const isIn =
  ({ start, end }: Window) =>
  (piece: { readonly at: number }) =>
    start <= piece.at && piece.at < end

const put = (tables: Tables, key: BucketKey, change: (row: BucketRow) => BucketRow) => {
  const row = find(tables.buckets, keyOf(key))
  if (row !== undefined) tables.buckets = HashMap.set(tables.buckets, keyOf(key), change(row))
}

const recountOwn = (tables: Tables, bucket: Bucket) => {
  const pieces = [...HashMap.values(find(tables.pieces, bucket.id) ?? HashMap.empty<string, never>())]
  const { up, down, weighted } = pieces.filter(isIn(bucket.window)).reduce(plus, nothing)
  put(tables, bucket, (row) => ({ ...row, up, down, bucket: { ...row.bucket, used: weighted } }))
  return weighted
}

const recountOwner = (tables: Tables, bucket: Bucket) => {
  const windowStart = bucket.window.start
  let perNode = HashMap.empty<string, OwnerUsage>()
  let used = 0n
  for (const piece of HashMap.values(find(tables.ownerPieces, bucket.id) ?? HashMap.empty<string, never>())) {
    if (!isIn(bucket.window)(piece)) continue
    used += piece.weighted
    perNode = HashMap.set(perNode, piece.nodeId, {
      windowStart,
      ...plus(find(perNode, piece.nodeId) ?? nothing, piece)
    })
  }
  tables.ownerUsage = HashMap.set(tables.ownerUsage, bucket.id, perNode)
  return used
}

export const layer = Layer.effect(
  BucketStore,
  Effect.map(Memory, ({ read, write }) =>
    BucketStore.of({
      insert: (bucket) =>
        write((tables) => {
          const ref = ++tables.lastNumber
          const row = { bucket: { ...bucket, ref, used: 0n }, up: 0n, down: 0n, cuts: [] }
          tables.buckets = HashMap.set(tables.buckets, keyOf(bucket), row)
          return ref
        }),
      lock: (keys) => read((tables) => bucketsOf(tables, keys)),
      read: (keys) => read((tables) => bucketsOf(tables, keys)),
      save: (buckets) =>
        write((tables) => {
          for (const bucket of buckets) {
            put(tables, bucket, (row) => ({
              ...row,
              bucket: { ...bucket, ref: row.bucket.ref, used: row.bucket.used }
            }))
          }
        }),
      recount: (buckets) =>
        write(
          (tables) =>
            new Map(
              buckets.map((bucket) => [
                bucket.id,
                bucket.kind === "subscription" ? recountOwn(tables, bucket) : recountOwner(tables, bucket)
              ])
            )
        ),
      recordCut: (key, at) => write((tables) => put(tables, key, (row) => ({ ...row, cuts: [...row.cuts, at] }))),
      flip: (flips) =>
        write((tables) => {
          for (const { exhaustedUntil, ...key } of flips) {
            put(tables, key, (row) => ({ ...row, bucket: { ...row.bucket, exhaustedUntil } }))
          }
        }),
      misjudged: (limit, among) =>
        read((tables) =>
          bucketsOf(
            tables,
            among ?? Array.from(HashMap.values(tables.buckets), ({ bucket: { kind, id } }) => ({ kind, id }))
          )
            .filter((bucket) => weigh(bucket) !== bucket.exhaustedUntil)
            .slice(0, limit)
            .map(({ kind, id }) => ({ kind, id }))
        ),
      due: (now, limit) =>
        read((tables) =>
          Array.from(HashMap.values(tables.buckets), ({ bucket }) => bucket)
            .filter(({ window }) => window.end < now)
            .sort((a, b) => a.window.end - b.window.end)
            .slice(0, limit)
            .map(({ kind, id }) => ({ kind, id }))
        )
    })
  )
)
