/**
 * Counts the plain entries of a batch in one statement: each finds its counter by the credential's number, and the
 * counter's row says whose it is, since when, and at which inbounds it was ever linked. A row that changes meanwhile is
 * looked at again once its lock is there, so that nothing is attributed by what was true before.
 *
 * What a row does not say (an older owner, another window, a credential that was rotated away) is left to
 * `Usage.settle`, and so is everything that is to be refused.
 */
import type { TrafficReport, Transaction, UsageStore } from "@vpnmgr/core"
import { Quota, Usage, Window } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { at, list } from "./Column.ts"
import { stored } from "./Failure.ts"
import * as RawId from "./RawId.ts"
import type { make as makeFacts } from "./UsageFacts.ts"
import type { make as makeRecord } from "./UsageRecord.ts"

type Entry = TrafficReport.Entry

interface Plain extends Entry {
  /** Index of its inbound among those of the batch. */
  readonly place: number
}

/** What is known of the inbounds and the link of a batch before its counters are looked at. */
export interface Ground {
  readonly linkSpeed: bigint | null
  readonly inbounds: ReadonlyMap<number, Usage.InboundFacts>
}

interface Outcome {
  readonly counted: number
  readonly known: ReadonlyArray<number> | null
  readonly flips: ReadonlyArray<string> | null
  readonly owners: ReadonlyArray<Record<"id" | "up" | "down" | "weighted", string>> | null
}

const largestRef = 2 ** 31 - 1
const largestInt8 = 2n ** 63n - 1n

/** Entries by credential, those of one inbound added up; what cannot be plain is left. */
const sorted = ({ entries, from, key, to }: UsageStore.Counting, { inbounds, linkSpeed }: Ground) => {
  const rest: Array<Entry> = []
  const places = new Map([...inbounds.keys()].map((ref, index) => [ref, index]))
  const isPlain = ({ bytesDown, bytesUp, credential, inbound }: Entry) =>
    bytesUp >= 0n &&
    bytesDown >= 0n &&
    bytesUp + bytesDown > 0n &&
    credential > 0 &&
    credential <= largestRef &&
    inbounds.get(inbound)?.nodeId === key.nodeId &&
    !Usage.isFaster(bytesUp + bytesDown, linkSpeed, from, to)
  const order = new Float64Array(entries.length)
  let count = 0
  entries.forEach((entry, index) => {
    if (isPlain(entry)) order[count++] = entry.credential * 2 ** 16 + index
    else rest.push(entry)
  })
  const groups: Array<Array<Plain>> = []
  for (const place of order.subarray(0, count).sort()) {
    const entry = entries[place % 2 ** 16]!
    const group = groups.at(-1)
    if (group?.[0]!.credential !== entry.credential) groups.push([{ ...entry, place: places.get(entry.inbound)! }])
    else {
      const same = group.findIndex(({ inbound }) => inbound === entry.inbound)
      if (same === -1) group.push({ ...entry, place: places.get(entry.inbound)! })
      else group[same] = added(group[same]!, entry)
    }
  }
  const isSmall = ({ bytesDown, bytesUp }: Entry) => bytesUp <= largestInt8 && bytesDown <= largestInt8
  const [small, large] = [groups.filter((group) => group.every(isSmall)), groups.filter((each) => !each.every(isSmall))]
  return { groups: small, rest: [...rest, ...large.flat()] }
}

const added = (one: Plain, other: Entry): Plain => ({
  ...one,
  bytesUp: one.bytesUp + other.bytesUp,
  bytesDown: one.bytesDown + other.bytesDown
})

const sum = (values: ReadonlyArray<bigint>): bigint => values.reduce((total, value) => total + value, 0n)

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

  const statement = (counting: UsageStore.Counting, ground: Ground, groups: ReadonlyArray<ReadonlyArray<Plain>>) => {
    const { from, grain, key, shift, to } = counting
    const inbounds = [...ground.inbounds]
    const multipliers = inbounds.map(([, { multipliers }]) => Usage.historyAt(multipliers, to) ?? 1000)
    const weighted = ({ bytesDown, bytesUp, place }: Plain) => Quota.weight(bytesUp + bytesDown, multipliers[place]!)
    const all = groups.flat()
    const isOneEach = all.length === groups.length
    const ends: Array<number> = []
    for (const group of groups) ends.push((ends.at(-1) ?? 0) + group.length)
    const column = (of: (entry: Plain) => number | bigint) => list(all.map(of))
    const sums = (of: (entry: Plain) => bigint) => list(groups.map((group) => sum(group.map(of))))
    const ids = RawId.make(to)
    const batch = sql`(SELECT batch FROM numbered)`
    const head = sql`${at(sql, key.receivedAt)}, ${key.nodeId}::uuid, ${batch}, ${at(sql, from)}, ${at(sql, to)}`
    const columns = sql`received_at, node_id, batch, from_at, to_at, id, subscription_id, owner_id, inbound_id, bytes_up,
      bytes_down, weighted`
    const raw: Statement.Fragment = isOneEach
      ? sql`INSERT INTO traffic_report (${columns})
        SELECT ${head}, ${ids.sql(sql, sql`k`)}, c.id, owner_id, i.ids[place + 1], up::bigint, down::bigint, weighted
        FROM counted c, inbounds i`
      : sql`INSERT INTO traffic_report (${columns})
        SELECT ${head}, ${ids.sql(sql, sql`n`)}, c.id, owner_id, i.ids[a.place[n] + 1], a.up[n], a.down[n], a.weighted[n]
        FROM counted c, inbounds i, arrays a, generate_series(c.first, c.last) n`
    const linked = isOneEach
      ? sql`i.refs[g.place + 1] = ANY(b.inbounds)`
      : sql`(SELECT array_agg(i.refs[a.place[n] + 1]) FROM generate_series(g.first, g.last) n) <@ b.inbounds`
    return sql<Outcome>`
      WITH numbered AS MATERIALIZED (SELECT nextval('report_batch_batch_seq') AS batch),
      inbounds AS MATERIALIZED (SELECT ${inbounds.map(([ref]) => ref)}::int[] AS refs,
        ${inbounds.map(([, { id }]) => id)}::uuid[] AS ids),
      arrays AS MATERIALIZED (SELECT ${isOneEach ? "{}" : column(({ place }) => place)}::text::int[] AS place,
        ${isOneEach ? "{}" : column(({ bytesUp }) => bytesUp)}::text::bigint[] AS up,
        ${isOneEach ? "{}" : column(({ bytesDown }) => bytesDown)}::text::bigint[] AS down,
        ${isOneEach ? "{}" : column(weighted)}::text::numeric[] AS weighted),
      given AS MATERIALIZED (SELECT * FROM unnest(${list(groups.map(([entry]) => entry!.credential))}::text::int[],
        ${list(groups.map(([entry]) => entry!.place))}::text::int[], ${list(ends.map((end, k) => end - groups[k]!.length + 1))}::text::int[],
        ${list(ends)}::text::int[], ${sums(({ bytesUp }) => bytesUp)}::text::numeric[],
        ${sums(({ bytesDown }) => bytesDown)}::text::numeric[], ${sums(weighted)}::text::numeric[]
        ) WITH ORDINALITY AS x (credential, place, first, last, up, down, weighted, k)),
      counted AS (
        UPDATE bucket b SET used = b.used + g.weighted, bytes_up = b.bytes_up + g.up, bytes_down = b.bytes_down + g.down
        FROM given g, inbounds i, arrays a
        WHERE b.credential = g.credential AND b.kind = 'subscription' AND ${linked}
          AND b.window_start < ${at(sql, to)} AND b.window_end >= ${at(sql, to)}
          AND (b.owner_since IS NULL OR b.owner_since < ${at(sql, to)})
        RETURNING b.id, b.owner_id, g.*, (CASE WHEN b.used > (b.max_traffic - 1)::numeric * 1000
          THEN CASE WHEN b.max_traffic > 0 THEN b.window_end ELSE 'infinity' END END)
          IS DISTINCT FROM b.exhausted_until AS flips),
      owned AS MATERIALIZED (SELECT owner_id, sum(up) AS up, sum(down) AS down, sum(weighted) AS weighted,
        sum(last - first + 1)::int AS row_count FROM counted GROUP BY owner_id),
      raw AS (${raw}),
      batch AS (
        INSERT INTO report_batch (batch, node_id, token_id, received_at, from_at, to_at, piece_at, shift, first_id,
          last_id, row_count, inbound_ids, owner_ids)
        SELECT ${batch}, ${key.nodeId}::uuid, ${key.tokenId}::uuid, ${at(sql, key.receivedAt)}, ${at(sql, from)},
          ${at(sql, to)}, ${at(sql, Window.piece(to, grain, []))}, ${BigInt(Math.round(shift))}::bigint,
          ${ids.at(0)}::uuid, ${ids.at(all.length)}::uuid, sum(row_count), (SELECT ids FROM inbounds),
          coalesce(array_agg(owner_id) FILTER (WHERE owner_id IS NOT NULL), '{}')
        FROM owned HAVING count(*) > 0)
      SELECT (SELECT count(*)::int FROM counted) AS counted,
        (SELECT array_agg(k::int) FROM counted HAVING count(*) < ${groups.length}::int) AS known,
        (SELECT array_agg(id) FROM counted WHERE flips) AS flips,
        (SELECT json_agg(json_build_object('id', owner_id, 'up', up::text, 'down', down::text, 'weighted', weighted::text)
          ORDER BY owner_id) FROM owned WHERE owner_id IS NOT NULL) AS owners, ${planned("on")}`
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
    const ground = yield* stored(facts.ground(counting.key.nodeId, counting.entries, planned("off")))
    const { groups, rest } = sorted(counting, ground)
    if (groups.length === 0) return { rest: counting.entries, weighable: [], stale: [] }
    const [outcome] = yield* stored(statement(counting, ground, groups))
    const { counted, flips, known, owners } = outcome!
    const plain = new Set(known)
    const left = counted === groups.length ? [] : groups.filter((_group, index) => !plain.has(index + 1)).flat()
    const settled = owners === null ? undefined : yield* stored(forOwners(counting, owners))
    const own = (flips ?? []).map((id) => ({ kind: "subscription" as const, id }))
    const added = Usage.addedTo({ current: [], ownerCurrent: settled?.ownerCurrent ?? [] })
    return { rest: [...rest, ...left], weighable: [...own, ...added], stale: settled?.stale ?? [] }
  })
}
