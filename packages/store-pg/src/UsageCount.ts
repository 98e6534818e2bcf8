/**
 * Counts the plain entries of a batch in one statement: each finds its counter by the credential's number, and the
 * counter's row says whose it is, since when, and at which inbounds it was ever linked. A row that changes meanwhile is
 * looked at again once its lock is there, so that nothing is attributed by what was true before.
 *
 * What a row does not say (an older owner, another window, a credential that was rotated away) is left to
 * `Usage.settle`, and so is everything that is to be refused.
 */
import type { Transaction, UsageStore } from "@vpnmgr/core"
import { Usage, Window } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { at, list } from "./Column.ts"
import { stored } from "./Failure.ts"
import * as PlainEntries from "./PlainEntries.ts"
import * as RawId from "./RawId.ts"
import type { make as makeFacts } from "./UsageFacts.ts"
import type { make as makeRecord } from "./UsageRecord.ts"

interface Outcome {
  readonly counted: number
  readonly known: ReadonlyArray<number> | null
  readonly flips: ReadonlyArray<string> | null
  readonly owners: ReadonlyArray<Record<"id" | "up" | "down" | "weighted", string>> | null
}

/** The sums of each group of a column. */
const summed = (values: ReadonlyArray<bigint>, starts: ReadonlyArray<number>): ReadonlyArray<bigint> =>
  starts.slice(0, -1).map((start, group) => {
    let total = 0n
    for (let index = start; index < starts[group + 1]!; index++) total += values[index]!
    return total
  })

/** Makes the counter over a client: the same few statements, whatever the batch's size. */
export const make = (
  sql: SqlClient.SqlClient,
  facts: ReturnType<typeof makeFacts>,
  record: ReturnType<typeof makeRecord>
) => {
  /** Rows are found one by one, in the order of the locks; a plan that scans or sorts otherwise would break it. */
  const planned = (is: "on" | "off") =>
    sql.literal(
      ["hashjoin", "mergejoin", "seqscan"].map((name) => `set_config('enable_${name}', '${is}', true)`).join(", ")
    )

  /**
   * Until the transaction ends, plans are those that were made once: what a report asks beside its counters is found by
   * key, and planning three of these statements anew took a sixth of PostgreSQL's time for a report of 100 entries.
   */
  const plannedOnce = sql.literal("set_config('plan_cache_mode', 'force_generic_plan', true)")

  const statement = (counting: UsageStore.Counting, ground: PlainEntries.Ground, plain: PlainEntries.PlainEntries) => {
    const { from, grain, key, shift, to } = counting
    const { credentials, downs, places, starts, ups } = plain
    const groups = starts.slice(0, -1)
    const isOneEach = credentials.length === groups.length
    const inbounds = [...ground.inbounds]
    const multipliers = inbounds.map(([, facts]) => Usage.historyAt(facts.multipliers, to) ?? 1000)
    /** Bare arrays go as PostgreSQL keeps them, which takes it and the client less time than their text. */
    const column = (values: ReadonlyArray<number | bigint>, isWanted = true) =>
      isWanted ? sql`${values}` : sql`${"{}"}::text`
    const ids = RawId.make(to)
    /** What is the same for every row, computed for none of them. */
    const once = (column: "batch" | "received_at" | "from_at" | "to_at") =>
      sql.literal(`(SELECT ${column} FROM numbered)`)
    const end = once("to_at")
    const head = sql`${once("received_at")}, ${key.nodeId}::uuid, ${once("batch")}, ${once("from_at")}, ${end}`
    const columns = sql`received_at, node_id, batch, from_at, to_at, id, subscription_id, owner_id, inbound_id, bytes_up,
      bytes_down, weighted`
    const raw: Statement.Fragment = isOneEach
      ? sql`INSERT INTO traffic_report (${columns})
        SELECT ${head}, ${ids.sql(sql, sql`k`)}, id, owner_id, inbound_id, up, down, weighted FROM counted`
      : sql`INSERT INTO traffic_report (${columns})
        SELECT ${head}, ${ids.sql(sql, sql`n`)}, c.id, owner_id, i.ids[a.place[n] + 1], a.up[n], a.down[n],
          (a.up[n] + a.down[n])::numeric * i.multipliers[a.place[n] + 1]
        FROM counted c, inbounds i, arrays a, generate_series(c.first, c.last) n`
    const given = isOneEach
      ? sql`SELECT credential, k, up, down, (up + down)::numeric * i.multipliers[place + 1] AS weighted,
          i.refs[place + 1] AS ref, i.ids[place + 1] AS inbound_id, NULL::int AS first, NULL::int AS last
        FROM inbounds i, unnest(${column(credentials)}::int[], ${column(places)}::int[],
          ${column(ups)}::bigint[], ${column(downs)}::bigint[]
        ) WITH ORDINALITY AS x (credential, place, up, down, k)`
      : sql`SELECT x.*, (SELECT sum((a.up[n] + a.down[n])::numeric * i.multipliers[a.place[n] + 1])
          FROM generate_series(first, last) n) AS weighted
        FROM inbounds i, arrays a, unnest(${column(groups.map((start) => credentials[start]!))}::int[],
          ${column(groups.map((start) => start + 1))}::int[], ${column(starts.slice(1))}::int[],
          ${list(summed(ups, starts))}::text::numeric[], ${list(summed(downs, starts))}::text::numeric[]
        ) WITH ORDINALITY AS x (credential, first, last, up, down, k)`
    const linked = isOneEach
      ? sql`g.ref = ANY(b.inbounds)`
      : sql`(SELECT array_agg(i.refs[a.place[n] + 1]) FROM generate_series(g.first, g.last) n) <@ b.inbounds`
    return sql<Outcome>`
      WITH numbered AS MATERIALIZED (SELECT nextval('report_batch_batch_seq') AS batch,
        ${at(sql, key.receivedAt)} AS received_at, ${at(sql, from)} AS from_at, ${at(sql, to)} AS to_at),
      inbounds AS MATERIALIZED (SELECT ${inbounds.map(([ref]) => ref)}::int[] AS refs,
        ${inbounds.map(([, { id }]) => id)}::uuid[] AS ids, ${multipliers}::int[] AS multipliers),
      arrays AS MATERIALIZED (SELECT ${column(places, !isOneEach)}::int[] AS place,
        ${column(ups, !isOneEach)}::bigint[] AS up, ${column(downs, !isOneEach)}::bigint[] AS down),
      given AS MATERIALIZED (${given}),
      counted AS (
        UPDATE bucket b SET used = b.used + g.weighted, bytes_up = b.bytes_up + g.up, bytes_down = b.bytes_down + g.down
        FROM ${isOneEach ? sql`given g` : sql`given g, inbounds i, arrays a`}
        WHERE b.credential = g.credential AND b.kind = 'subscription' AND ${linked}
          AND b.window_start < ${end} AND b.window_end >= ${end} AND (b.owner_since IS NULL OR b.owner_since < ${end})
        RETURNING b.id, b.owner_id, g.*, (CASE WHEN b.used > (b.max_traffic - 1)::numeric * 1000
          THEN CASE WHEN b.max_traffic > 0 THEN b.window_end ELSE 'infinity' END END)
          IS DISTINCT FROM b.exhausted_until AS flips),
      owned AS MATERIALIZED (SELECT owner_id, sum(up) AS up, sum(down) AS down, sum(weighted) AS weighted,
        sum(coalesce(last - first + 1, 1))::int AS row_count, count(*)::int AS count,
        array_agg(id) FILTER (WHERE flips) AS flips FROM counted GROUP BY owner_id),
      raw AS (${raw}),
      batch AS (
        INSERT INTO report_batch (batch, node_id, token_id, received_at, from_at, to_at, piece_at, shift, first_id,
          last_id, row_count, inbound_ids, owner_ids)
        SELECT ${once("batch")}, ${key.nodeId}::uuid, ${key.tokenId}::uuid, ${once("received_at")}, ${once("from_at")},
          ${end}, ${at(sql, Window.piece(to, grain, []))}, ${BigInt(Math.round(shift))}::bigint,
          ${ids.at(0)}::uuid, ${ids.at(credentials.length)}::uuid, sum(row_count), (SELECT ids FROM inbounds),
          coalesce(array_agg(owner_id) FILTER (WHERE owner_id IS NOT NULL), '{}')
        FROM owned HAVING count(*) > 0)
      SELECT o.counted, o.owners, (SELECT array_agg(id) FROM owned, unnest(flips) AS id) AS flips,
        CASE WHEN o.counted < ${groups.length}::int THEN (SELECT array_agg(k::int) FROM counted) END AS known, ${planned("on")}
      FROM (SELECT coalesce(sum(count), 0)::int AS counted,
        json_agg(json_build_object('id', owner_id, 'up', up::text, 'down', down::text, 'weighted', weighted::text)
          ORDER BY owner_id) FILTER (WHERE owner_id IS NOT NULL) AS owners FROM owned) o`
  }

  /** Adds up for the owners what was counted, under the locks of `UsageFacts`. */
  const forOwners = Effect.fnUntraced(function* (
    { grain, key, to }: UsageStore.Counting,
    sums: NonNullable<Outcome["owners"]>
  ) {
    const perOwner = sums.map(({ id, up, down, weighted }) => ({
      ownerId: id,
      up: BigInt(up),
      down: BigInt(down),
      weighted: BigInt(weighted)
    }))
    const settled = Usage.settleOwners(perOwner, yield* facts.owners(sums.map(({ id }) => id)), to, grain)
    if (settled.stale.length === 0) yield* record.owners(key.nodeId, settled)
    return settled
  })

  return Effect.fn("PgUsageStore.count")(function* (
    counting: UsageStore.Counting
  ): Effect.fn.Return<UsageStore.Counted, Transaction.StoreError> {
    const ground = yield* stored(
      facts.ground(counting.key.nodeId, counting.entries, sql`${planned("off")}, ${plannedOnce}`)
    )
    const plain = PlainEntries.of(counting, ground)
    const groups = plain.starts.length - 1
    if (groups === 0) return { rest: counting.entries, weighable: [], stale: [] }
    const [outcome] = yield* stored(statement(counting, ground, plain))
    const { counted, flips, known, owners } = outcome!
    const isKnown = new Set(known)
    const left = counted === groups ? [] : PlainEntries.entriesOf(plain, ground, (group) => !isKnown.has(group + 1))
    const settled = owners === null ? undefined : yield* stored(forOwners(counting, owners))
    const own = (flips ?? []).map((id) => ({ kind: "subscription" as const, id }))
    const added = Usage.addedTo({ current: [], ownerCurrent: settled?.ownerCurrent ?? [] })
    return { rest: [...plain.rest, ...left], weighable: [...own, ...added], stale: settled?.stale ?? [] }
  })
}
