/** What was reported, in PostgreSQL: a key per batch, raw rows by day, pieces that stay. */
import { Id, Instant, Node, TrafficReport, UsageStore } from "@vpnmgr/core"
import { Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { BucketRow } from "./Column.ts"
import { at, bucketColumns, bucketOf, millis } from "./Column.ts"
import { refuse, type StartRefused, stored, written } from "./Failure.ts"
import * as Partitions from "./Partitions.ts"
import * as PgTransaction from "./PgTransaction.ts"
import * as Pending from "./Pending.ts"
import { make as makeCount } from "./UsageCount.ts"
import { make as makeFacts } from "./UsageFacts.ts"
import { make as makeFold } from "./UsageFold.ts"
import { make as makeRecord } from "./UsageRecord.ts"
import { make as makeSums } from "./UsageSums.ts"

type Digests = ReadonlyArray<{ readonly digest: string }>

interface PieceRow extends Omit<UsageStore.UsagePiece, "up" | "down" | "weighted"> {
  readonly up: string
  readonly down: string
  readonly weighted: string
}

type Service = UsageStore.UsageStore["Service"]

const day = 86_400_000

const encodeBatch = Schema.encodeEffect(Schema.fromJsonString(TrafficReport.Batch))

export const layer: Layer.Layer<UsageStore.UsageStore, StartRefused, SqlClient.SqlClient> = Layer.effect(
  UsageStore.UsageStore,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const atomic = PgTransaction.make(sql)
    const pending = Pending.make(sql)
    const fold = makeFold(sql)
    const partitions = Partitions.make(sql, fold)
    const facts = makeFacts(sql)
    const record = makeRecord(sql)
    const scope = yield* Effect.scope
    let madeUntil = Partitions.dayOf(yield* Instant.now) + Partitions.daysAhead * day
    yield* Effect.mapError(partitions.makeAhead(madeUntil - Partitions.daysAhead * day), refuse)

    /** Makes days ahead after the report, never in it: a report waits for no partition. */
    const keepAhead = (instant: Instant.Instant) =>
      Effect.suspend(() => {
        const today = Partitions.dayOf(instant)
        if (today + day < madeUntil) return Effect.void
        madeUntil = today + Partitions.daysAhead * day
        const make = Effect.catchCause(partitions.makeAhead(today), (cause) => {
          madeUntil = 0
          return Effect.logWarning("traffic_report: no days were made ahead; rows wait in the default partition", cause)
        })
        return sql.afterCommit(Effect.asVoid(Effect.forkIn(make, scope)))
      })

    const admit = Effect.fn("PgUsageStore.admit")(function* (key: UsageStore.BatchKey) {
      const seq = BigInt(key.seq)
      const lowest = BigInt(Math.min(key.lowest, key.seq))
      const isMine = sql`node_id = ${key.nodeId} AND spool = ${key.spool}`
      const claimed = yield* stored(sql`INSERT INTO report_key (node_id, spool, seq, digest)
        VALUES (${key.nodeId}, ${key.spool}, ${seq}, ${key.digest}) ON CONFLICT DO NOTHING RETURNING seq`)
      if (claimed.length === 0) {
        const [known] = yield* stored(
          sql<Digests[number]>`SELECT digest FROM report_key WHERE ${isMine} AND seq = ${seq}`
        )
        return known === undefined ? "rewound" : known.digest === key.digest ? "replay" : "conflict"
      }
      const pruned = yield* stored(sql`SELECT FROM spool WHERE ${isMine} AND floor_seq > ${seq}`)
      if (pruned.length > 0) {
        yield* stored(sql`DELETE FROM report_key WHERE ${isMine} AND seq = ${seq}`)
        return "rewound"
      }
      yield* stored(sql`
        WITH mine AS (
          INSERT INTO spool AS s (node_id, spool, token_id, last_seq, floor_seq, last_seen)
          VALUES (${key.nodeId}, ${key.spool}, ${key.tokenId}, ${seq}, ${lowest}, ${at(sql, key.receivedAt)})
          ON CONFLICT (node_id, spool) DO UPDATE SET token_id = EXCLUDED.token_id,
            last_seq = greatest(s.last_seq, EXCLUDED.last_seq), floor_seq = greatest(s.floor_seq, EXCLUDED.floor_seq),
            last_seen = EXCLUDED.last_seen),
        pruned AS (DELETE FROM report_key WHERE ${isMine} AND seq < ${lowest})
        INSERT INTO node_health AS h (node_id, reported_at, is_cloned)
        SELECT ${key.nodeId}, ${at(sql, key.receivedAt)}, EXISTS (
          SELECT FROM spool o WHERE o.node_id = ${key.nodeId} AND o.token_id = ${key.tokenId} AND o.spool <> ${key.spool}
            AND o.last_seen BETWEEN ${at(sql, key.receivedAt - Node.activeFor)} AND ${at(sql, key.receivedAt + Node.activeFor)})
        ON CONFLICT (node_id) DO UPDATE SET reported_at = EXCLUDED.reported_at, is_cloned = EXCLUDED.is_cloned`)
      yield* keepAhead(key.receivedAt)
      return "new"
    })

    const setAside = Effect.fn("PgUsageStore.setAside")(function* (
      key: UsageStore.BatchKey,
      batch: TrafficReport.Batch,
      reason: UsageStore.AsideReason
    ) {
      const id = Id.v7(key.receivedAt, crypto.getRandomValues(new Uint8Array(10)))
      const text = yield* Effect.orDie(encodeBatch(batch))
      const rows =
        yield* stored(sql`INSERT INTO report_conflict (id, node_id, token_id, spool, seq, digest, received_at, batch, reason)
        VALUES (${id}, ${key.nodeId}, ${key.tokenId}, ${key.spool}, ${BigInt(key.seq)}, ${key.digest},
          ${at(sql, key.receivedAt)}, ${text}::text::jsonb, ${reason})
        ON CONFLICT (node_id, spool, seq, digest) DO NOTHING RETURNING 1`)
      return rows.length > 0
    })

    const touched: Service["touched"] = Effect.fn("PgUsageStore.touched")(function* ({ current, ownerCurrent }) {
      const own = current.map((row) => row.subscriptionId)
      const owners = ownerCurrent.map((row) => row.ownerId)
      if (own.length + owners.length === 0) return []
      const rows = yield* stored(sql<BucketRow>`SELECT ${sql.literal(bucketColumns)} FROM bucket b
        WHERE (b.id, b.kind) IN (SELECT id, 'subscription' FROM unnest(${own}::uuid[]) AS s (id)
          UNION ALL SELECT id, 'owner' FROM unnest(${owners}::uuid[]) AS o (id))
        ORDER BY b.kind DESC, b.id`)
      return rows.map(bucketOf)
    })

    const pieces: Service["pieces"] = Effect.fn("PgUsageStore.pieces")(function* (subscriptionId, from, to, limit) {
      const found = yield* stored(pending.pieces(subscriptionId, from, to))
      const rows = yield* stored(sql<PieceRow>`SELECT inbound_id AS "inboundId", ${sql.literal(millis("p.at"))} AS at,
            sum(bytes_up) AS up, sum(bytes_down) AS down, sum(weighted) AS weighted
          FROM ${found} p GROUP BY p.at, inbound_id ORDER BY p.at, inbound_id LIMIT ${limit === undefined ? null : BigInt(limit)}::bigint`)
      return rows.map((row) => ({
        ...row,
        up: BigInt(row.up),
        down: BigInt(row.down),
        weighted: BigInt(row.weighted)
      }))
    })

    const waiting = Effect.map(
      stored(sql<{
        readonly rows: bigint
        readonly since: number | null
      }>`SELECT coalesce(sum(row_count), 0)::bigint AS rows,
        ${sql.literal(millis("min(received_at)"))} AS since FROM report_batch WHERE is_pending`),
      ([row]) => (row?.since == null ? null : { rows: Number(row.rows), since: row.since })
    )

    /** What the index by place does not cover yet is read from end to end; there may be nobody else to see to it. */
    const summarize = stored(
      sql`SELECT brin_summarize_new_values(c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'traffic_report_place_idx'::regclass`
    )

    /** A silent spool's keys go but the newest, and not what they tell: all it sent before lies below its floor. */
    const forget = (before: Instant.Instant) =>
      written(sql`
        WITH silent AS (
          UPDATE spool SET floor_seq = last_seq WHERE last_seen < ${at(sql, before)} AND floor_seq < last_seq
          RETURNING node_id, spool, last_seq)
        DELETE FROM report_key k USING silent s WHERE k.node_id = s.node_id AND k.spool = s.spool AND k.seq < s.last_seq`)

    const letGo = (before: Instant.Instant) =>
      Effect.andThen(
        written(sql`DELETE FROM report_conflict WHERE id < ${Id.lowest(before)}::uuid`),
        written(sql`DELETE FROM quarantine WHERE state <> 'open' AND id < ${Id.lowest(before)}::uuid`)
      )

    return UsageStore.UsageStore.of({
      admit: (key) => atomic(admit(key)),
      setAside,
      count: makeCount(sql, facts, record),
      facts: facts.facts,
      record: record.record,
      touched,
      pieces,
      sums: makeSums(sql),
      fold: Effect.tap(atomic(fold.some), (rows) => (rows === 0 ? Effect.void : summarize)),
      waiting,
      retain: (before) =>
        Effect.gen(function* () {
          yield* stored(partitions.drop(before))
          yield* stored(partitions.makeAhead(yield* Instant.now))
          yield* forget(before)
          yield* letGo(before)
        })
    })
  })
)
