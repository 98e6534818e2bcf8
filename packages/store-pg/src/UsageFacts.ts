/** Reads, under locks, what is known of everything a batch names. The order of the locks is the ports' global one. */
import type { Instant, Quota, TrafficReport, Transaction } from "@vpnmgr/core"
import { Usage } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import type { BucketRow } from "./Column.ts"
import { bucketOf, millis, ownBucketColumns } from "./Column.ts"
import { stored } from "./Failure.ts"

interface Step<A> {
  readonly id: string
  readonly since: Instant.Instant
  readonly value: A
}

const largestRef = 2 ** 31 - 1

/** Distinct refs that can exist at all: an agent may report any number. */
const refsOf = (numbers: ReadonlyArray<number>) => [...new Set(numbers)].filter((ref) => ref > 0 && ref <= largestRef)

const group = <A, B>(rows: ReadonlyArray<A>, key: (row: A) => string, value: (row: A) => B): Map<string, Array<B>> => {
  const groups = new Map<string, Array<B>>()
  for (const row of rows) {
    const values = groups.get(key(row))
    if (values === undefined) groups.set(key(row), [value(row)])
    else values.push(value(row))
  }
  return groups
}

/** Makes the readers over a client: as many statements whatever the batch's size. */
export const make = (sql: SqlClient.SqlClient) => {
  const buckets = (kind: Quota.BucketKind, ids: ReadonlyArray<string>, lock: string) =>
    Effect.map(
      sql<BucketRow>`SELECT ${sql.literal(ownBucketColumns)} FROM bucket b
        WHERE b.id = ANY(${ids}::uuid[]) AND b.kind = ${kind} ORDER BY b.credential, b.id ${sql.literal(lock)}`,
      (rows) => rows.map(bucketOf)
    )

  const cuts = (kind: Quota.BucketKind, ids: ReadonlyArray<string>) =>
    Effect.map(
      sql<{
        readonly id: string
        readonly at: Instant.Instant
      }>`SELECT bucket_id AS id, ${sql.literal(millis("at"))} AS at
        FROM bucket_cut WHERE bucket_id = ANY(${ids}::uuid[]) AND kind = ${kind} ORDER BY at`,
      (rows) =>
        group(
          rows,
          (row) => row.id,
          (row) => row.at
        )
    )

  const owners = (ids: ReadonlyArray<string>) =>
    Effect.map(
      sql<Step<string | null>>`SELECT subscription_id AS id, ${sql.literal(millis("since"))} AS since, owner_id AS value
        FROM subscription_owner WHERE subscription_id = ANY(${ids}::uuid[]) ORDER BY subscription_id, since`,
      (rows) =>
        group(
          rows,
          (row) => row.id,
          ({ since, value }) => ({ since, value })
        )
    )

  const links = (ids: ReadonlyArray<string>) =>
    Effect.map(
      sql<{ readonly id: string; readonly inboundId: string }>`SELECT subscription_id AS id, inbound_id AS "inboundId"
        FROM subscription_inbound WHERE subscription_id = ANY(${ids}::uuid[])`,
      (rows) =>
        group(
          rows,
          (row) => row.id,
          (row) => row.inboundId
        )
    )

  const inbounds = Effect.fnUntraced(function* (refs: ReadonlyArray<number>) {
    const rows = yield* sql<{ readonly id: string; readonly ref: number; readonly nodeId: string }>`
      SELECT i.id, i.ref, i.node_id AS "nodeId" FROM inbound i
      WHERE i.ref = ANY(${refs}::int[]) ORDER BY i.id FOR KEY SHARE`
    const steps = yield* sql<Step<number>>`SELECT inbound_id AS id, ${sql.literal(millis("since"))} AS since,
        traffic_multiplier AS value
      FROM inbound_multiplier WHERE inbound_id = ANY(${rows.map((row) => row.id)}::uuid[]) ORDER BY inbound_id, since`
    const multipliers = group(
      steps,
      (row) => row.id,
      ({ since, value }) => ({ since, value })
    )
    return new Map(rows.map(({ ref, ...row }) => [ref, { ...row, multipliers: multipliers.get(row.id) ?? [] }]))
  })

  /** Owners' buckets, held against change, with their resets. */
  const ownerFacts = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
    const held = yield* buckets("owner", ids, "FOR KEY SHARE")
    const cutsOf = yield* cuts("owner", ids)
    return new Map(held.map((bucket) => [bucket.id, { bucket, cuts: cutsOf.get(bucket.id) ?? [] }]))
  })

  const linkSpeedOf = (nodeId: string, besides: Statement.Fragment) =>
    Effect.map(
      sql<{ readonly linkSpeed: bigint | null }>`SELECT max(link_speed) AS "linkSpeed", ${besides} FROM node
        WHERE id = ${nodeId}`,
      ([node]) => node?.linkSpeed ?? null
    )

  /** What is known before any counter is looked at; what is selected besides has its effect from then on. */
  const ground = Effect.fnUntraced(function* (
    nodeId: string,
    entries: ReadonlyArray<TrafficReport.Entry>,
    besides: Statement.Fragment
  ) {
    const linkSpeed = yield* linkSpeedOf(nodeId, besides)
    return { inbounds: yield* inbounds(refsOf(entries.map((entry) => entry.inbound))), linkSpeed }
  })

  const facts = Effect.fn("PgUsageStore.facts")(function* (
    nodeId: string,
    batch: TrafficReport.Batch,
    to: Instant.Instant
  ): Effect.fn.Return<Usage.Facts, Transaction.StoreError> {
    return yield* stored(
      Effect.gen(function* () {
        const known = yield* sql<{ readonly ref: number; readonly subscriptionId: string | null }>`
          SELECT ref, subscription_id AS "subscriptionId" FROM credential
          WHERE ref = ANY(${refsOf(batch.entries.map((entry) => entry.credential))}::int[])`
        const named = [...new Set(known.flatMap((row) => row.subscriptionId ?? []))]
        const own = yield* buckets("subscription", named, "FOR UPDATE")
        const ids = own.map((bucket) => bucket.id)
        const [owned, linked, ownCuts] = yield* Effect.all([owners(ids), links(ids), cuts("subscription", ids)])
        const ownerIds = new Set(ids.flatMap((id) => Usage.historyAt(owned.get(id) ?? [], to) ?? []))
        return {
          owners: yield* ownerFacts([...ownerIds]),
          inbounds: yield* inbounds(refsOf(batch.entries.map((entry) => entry.inbound))),
          linkSpeed: yield* linkSpeedOf(nodeId, sql`NULL`),
          credentials: new Map(known.map((row) => [row.ref, row.subscriptionId])),
          subscriptions: new Map(
            own.map((bucket) => [
              bucket.id,
              {
                id: bucket.id,
                owners: owned.get(bucket.id) ?? [],
                inboundIds: new Set(linked.get(bucket.id)),
                bucket,
                cuts: ownCuts.get(bucket.id) ?? []
              }
            ])
          )
        }
      })
    )
  })

  return { facts, ground, owners: ownerFacts }
}
