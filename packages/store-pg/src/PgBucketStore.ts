/** Buckets in PostgreSQL: narrow rows, so that counting up stays within a page (HOT). */
import type { Instant, Quota } from "@vpnmgr/core"
import { BucketStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { Statement } from "effect/sql"
import type { BucketRow } from "./Column.ts"
import { at, bucketColumns, bucketOf, list, ownBucketColumns } from "./Column.ts"
import { stored, written } from "./Failure.ts"
import * as Pending from "./Pending.ts"
import * as PgTransaction from "./PgTransaction.ts"
import * as Placing from "./Placing.ts"

type Key = BucketStore.BucketKey

type Used = ReadonlyArray<{ readonly id: string; readonly used: string }>

/**
 * The global order of locks on buckets `b`: subscriptions' before owners', the former by the credential's number, which
 * is how a report finds them (decision 28), then by id.
 */
const lockOrder = "b.kind DESC, b.credential, b.id"

const byKey = (buckets: ReadonlyArray<Quota.Bucket>) =>
  [...buckets].sort((a, b) => (a.kind === b.kind ? (a.id < b.id ? -1 : 1) : a.kind === "subscription" ? -1 : 1))

export const layer: Layer.Layer<BucketStore.BucketStore, never, SqlClient.SqlClient> = Layer.effect(
  BucketStore.BucketStore,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const atomic = PgTransaction.make(sql)
    const pending = Pending.make(sql)

    const keysOf = (keys: ReadonlyArray<Key>) =>
      sql`unnest(${keys.map((key) => key.id)}::uuid[], ${keys.map((key) => key.kind)}::text[])`

    const select = (columns: string, keys: ReadonlyArray<Key>, order: string) =>
      sql<BucketRow>`SELECT ${sql.literal(columns)} FROM bucket b
        WHERE (b.id, b.kind) IN (SELECT * FROM ${keysOf(keys)}) ORDER BY ${sql.literal(order)}`

    const insert = Effect.fn("PgBucketStore.insert")(function* (bucket: Quota.Bucket) {
      const rows = yield* stored(sql<{ readonly ref: number }>`
        INSERT INTO bucket (id, kind, max_traffic, period, anchor, cut, window_start, window_end, exhausted_until,
          credential, owner_id, owner_since, inbounds)
        SELECT n.*, p.credential, p.owner_id, p.owner_since, p.inbounds FROM (VALUES (${bucket.id}::uuid, ${bucket.kind}::text, ${bucket.maxTraffic}::bigint, ${bucket.period}::text, ${at(sql, bucket.anchor)},
          ${at(sql, bucket.cut)}, ${at(sql, bucket.window.start)}, ${at(sql, bucket.window.end)},
          ${at(sql, bucket.exhaustedUntil)})) n (id, kind)
        LEFT JOIN ${Placing.placesOf(sql, [bucket.id])} p ON p.id = n.id AND n.kind = 'subscription'
        RETURNING ref`)
      return rows[0]!.ref
    })

    const read = (keys: ReadonlyArray<Key>) =>
      keys.length === 0
        ? Effect.succeed([])
        : Effect.map(stored(select(bucketColumns, keys, "b.kind DESC, b.id")), (rows) => rows.map(bucketOf))

    /** What an owner used is summed by a statement of its own, which sees what was waited for. */
    const lock = Effect.fn("PgBucketStore.lock")(function* (keys: ReadonlyArray<Key>) {
      if (keys.length === 0) return []
      const locked = byKey((yield* stored(select(ownBucketColumns, keys, `${lockOrder} FOR UPDATE`))).map(bucketOf))
      const summed = yield* read(locked.filter((bucket) => bucket.kind === "owner"))
      const owners = new Map(summed.map((bucket) => [bucket.id, bucket]))
      return locked.map((bucket) => (bucket.kind === "owner" ? owners.get(bucket.id)! : bucket))
    })

    const save = Effect.fn("PgBucketStore.save")((buckets: ReadonlyArray<Quota.Bucket>) =>
      written(sql`UPDATE bucket b SET max_traffic = new.max_traffic, period = nullif(new.period, ''),
          anchor = to_timestamp(new.anchor / 1000), cut = to_timestamp(new.cut / 1000),
          window_start = to_timestamp(new.window_start / 1000), window_end = to_timestamp(new.window_end / 1000),
          exhausted_until = to_timestamp(new.exhausted_until / 1000)
        FROM unnest(
          ${buckets.map((bucket) => bucket.id)}::uuid[], ${buckets.map((bucket) => bucket.kind)}::text[],
          ${list(buckets.map((bucket) => bucket.maxTraffic))}::text::bigint[], ${buckets.map((bucket) => bucket.period ?? "")}::text[],
          ${list(buckets.map((bucket) => bucket.anchor))}::text::float8[], ${list(buckets.map((bucket) => bucket.cut))}::text::float8[],
          ${list(buckets.map((bucket) => bucket.window.start))}::text::float8[], ${list(buckets.map((bucket) => bucket.window.end))}::text::float8[],
          ${list(buckets.map((bucket) => bucket.exhaustedUntil))}::text::float8[]
        ) AS new (id, kind, max_traffic, period, anchor, cut, window_start, window_end, exhausted_until)
        WHERE b.id = new.id AND b.kind = new.kind`)
    )

    const windowsOf = (buckets: ReadonlyArray<Quota.Bucket>) => sql`(
      SELECT id, to_timestamp(starts / 1000) AS starts, to_timestamp(ends / 1000) AS ends FROM unnest(
        ${buckets.map((bucket) => bucket.id)}::uuid[], ${list(buckets.map((bucket) => bucket.window.start))}::text::float8[],
        ${list(buckets.map((bucket) => bucket.window.end))}::text::float8[]) AS given (id, starts, ends))`

    const waitingOf = (buckets: ReadonlyArray<Quota.Bucket>, { from, piece }: Pending.Rows) => sql`UNION ALL
          SELECT w.id, p.weighted, p.bytes_up, p.bytes_down FROM ${windowsOf(buckets)} w
          JOIN (SELECT r.subscription_id, ${piece} AS at, r.weighted, r.bytes_up, r.bytes_down FROM ${from}
            WHERE r.subscription_id = ANY(${buckets.map((bucket) => bucket.id)}::uuid[])) p
            ON p.subscription_id = w.id AND p.at >= w.starts AND p.at < w.ends`

    const recountOwn = Effect.fnUntraced(function* (buckets: ReadonlyArray<Quota.Bucket>) {
      const waiting = yield* pending.rows(Math.min(...buckets.map(({ window }) => window.start)))
      return yield* sql<Used[number]>`WITH counted AS (
          SELECT id, coalesce(sum(weighted), 0) AS used, coalesce(sum(bytes_up), 0) AS bytes_up,
            coalesce(sum(bytes_down), 0) AS bytes_down FROM (
            SELECT w.id, p.weighted, p.bytes_up, p.bytes_down FROM ${windowsOf(buckets)} w
            LEFT JOIN usage_piece p ON p.subscription_id = w.id AND p.at >= w.starts AND p.at < w.ends
            ${waiting === null ? sql`` : waitingOf(buckets, waiting)}) pieces
          GROUP BY id)
        UPDATE bucket b SET used = c.used, bytes_up = c.bytes_up, bytes_down = c.bytes_down
        FROM counted c WHERE b.id = c.id AND b.kind = 'subscription' RETURNING b.id, b.used`
    })

    /** An owner's counters are one row per node; those of other windows are of no more use. */
    const recountOwners = Effect.fnUntraced(function* (buckets: ReadonlyArray<Quota.Bucket>) {
      yield* sql`DELETE FROM owner_usage WHERE owner_id = ANY(${buckets.map((bucket) => bucket.id)}::uuid[])`
      return yield* sql<Used[number]>`WITH counted AS (
          INSERT INTO owner_usage (owner_id, window_start, node_id, bytes_up, bytes_down, used)
          SELECT w.id, w.starts, p.node_id, sum(p.bytes_up), sum(p.bytes_down), sum(p.weighted)
          FROM ${windowsOf(buckets)} w
          JOIN owner_piece p ON p.owner_id = w.id AND p.at >= w.starts AND p.at < w.ends
          GROUP BY w.id, w.starts, p.node_id
          RETURNING owner_id, used)
        SELECT owner_id AS id, sum(used) AS used FROM counted GROUP BY owner_id`
    })

    const recount = Effect.fn("PgBucketStore.recount")(function* (buckets: ReadonlyArray<Quota.Bucket>) {
      const own = buckets.filter((bucket) => bucket.kind === "subscription")
      const owners = buckets.filter((bucket) => bucket.kind === "owner")
      const used = yield* stored(
        Effect.all([
          own.length > 0 ? recountOwn(own) : Effect.succeed([]),
          owners.length > 0 ? recountOwners(owners) : Effect.succeed([])
        ])
      )
      return new Map([
        ...buckets.map((bucket) => [bucket.id, 0n] as const),
        ...used.flat().map((row) => [row.id, BigInt(row.used)] as const)
      ])
    })

    const flip = Effect.fn("PgBucketStore.flip")(
      (flips: ReadonlyArray<Key & { readonly exhaustedUntil: Instant.Instant | null }>) =>
        written(sql`WITH ordered AS (
            SELECT b.id, b.kind FROM bucket b WHERE (b.id, b.kind) IN (SELECT * FROM ${keysOf(flips)})
            ORDER BY ${sql.literal(lockOrder)} FOR NO KEY UPDATE)
          UPDATE bucket b SET exhausted_until = to_timestamp(new.until / 1000)
          FROM ordered o JOIN unnest(
            ${flips.map((flip) => flip.id)}::uuid[], ${flips.map((flip) => flip.kind)}::text[],
            ${list(flips.map((flip) => flip.exhaustedUntil))}::text::float8[]) AS new (id, kind, until)
            ON new.id = o.id AND new.kind = o.kind
          WHERE b.id = o.id AND b.kind = o.kind`)
    )

    /**
     * `Quota.weigh` in SQL: what was used has reached the limit when it is more than all but the limit's last byte.
     *
     * As an equation of numbers, which PostgreSQL expects of one row in 200. Of what differs it expects all, and walks the
     * primary key until it has found enough, alone, and to the end where nothing is wrong.
     */
    const isMisjudged = sql.literal(`CASE WHEN (CASE WHEN b.used > (b."maxTraffic" - 1)::numeric * 1000
      THEN CASE WHEN b."maxTraffic" > 0 THEN b.window_end ELSE 'infinity' END END) IS DISTINCT FROM b.exhausted_until
      THEN 1 ELSE 0 END = 1`)

    /** The two kinds apart: an owner's sum is a subquery of each row, and with it PostgreSQL reads none of them in parallel. */
    const weighable: Record<Quota.BucketKind, Statement.Fragment> = {
      subscription: sql`(SELECT id, kind, used, max_traffic AS "maxTraffic", window_end, exhausted_until FROM bucket
        WHERE kind = 'subscription' AND (max_traffic IS NOT NULL OR exhausted_until IS NOT NULL))`,
      owner: sql`(SELECT ${sql.literal(bucketColumns)}, b.window_end, b.exhausted_until FROM bucket b WHERE b.kind = 'owner')`
    }

    const misjudgedOf = Effect.fnUntraced(function* (
      kind: Quota.BucketKind,
      limit: number,
      among: ReadonlyArray<Key> | undefined
    ) {
      const ids = among?.flatMap((key) => (key.kind === kind ? [key.id] : []))
      if (limit === 0 || ids?.length === 0) return []
      const isAmong = ids === undefined ? sql`true` : sql`b.id = ANY(${ids}::uuid[])`
      return yield* stored(sql<Key>`SELECT kind, id FROM (
          SELECT b.kind, b.id FROM ${weighable[kind]} b WHERE ${isMisjudged} AND ${isAmong} OFFSET 0) wrong
        ORDER BY id LIMIT ${BigInt(limit)}::bigint`)
    })

    const misjudged = Effect.fnUntraced(function* (limit: number, among?: ReadonlyArray<Key>) {
      const own = yield* misjudgedOf("subscription", limit, among)
      return [...own, ...(yield* misjudgedOf("owner", limit - own.length, among))]
    })

    return BucketStore.BucketStore.of({
      insert,
      lock,
      read,
      save: (buckets) => (buckets.length === 0 ? Effect.void : save(buckets)),
      recount: (buckets) => atomic(recount(buckets)),
      recordCut: (key, instant) =>
        written(sql`INSERT INTO bucket_cut (bucket_id, kind, at) VALUES (${key.id}, ${key.kind}, ${at(sql, instant)})
          ON CONFLICT DO NOTHING`),
      flip: (flips) => (flips.length === 0 ? Effect.void : flip(flips)),
      misjudged,
      due: (now, limit) =>
        stored(sql<Key>`SELECT kind, id FROM bucket WHERE window_end < 'infinity' AND window_end < ${at(sql, now)}
          ORDER BY window_end LIMIT ${BigInt(limit)}::bigint`)
    })
  })
)
