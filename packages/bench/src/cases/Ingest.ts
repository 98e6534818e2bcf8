/**
 * Goals 4 and 5 at the store: batches of 10,000 entries from this process, without HTTP.
 *
 * - `raw rows and key`: what the product writes of a batch before anything is counted, against COPY of as many rows.
 * - `counted`: the whole of it, by `Enforcer.report`, against the best plain SQL known for a key, raw rows and one upsert
 *   of a usage row for each entry, through the same client.
 * - `ten inbounds of each`: ten entries of a subscription in one batch, against COPY: one counter for ten of them.
 *
 * What has been folded later is folded between the measurements and its time is told.
 */
import { randomUUID } from "node:crypto"
import { Enforcer, Fold, Transaction, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { type Case, largest } from "../Case.ts"
import * as Copy from "../Copy.ts"
import { median, type Row, short } from "../Figures.ts"
import * as Load from "../Load.ts"
import { idOf } from "../Seed.ts"
import type { Site } from "../Site.ts"
import * as Stores from "../Stores.ts"

const batchSize = 10_000
const batchesEach = 5
const [up, down] = [1000n, 10_000n]

/** The same by hand: a key, raw rows and an upsert of a row for each entry, in one transaction. */
const plainly = (nodeId: string, spool: string) =>
  Effect.fnUntraced(function* (seq: number, ids: ReadonlyArray<string>) {
    const sql = yield* SqlClient.SqlClient
    const ups = ids.map(() => up)
    const downs = ids.map(() => down)
    const [{ raw }] = (yield* sql<{ readonly raw: string }>`SELECT ${randomUUID()}::text AS raw`) as [
      { readonly raw: string }
    ]
    yield* sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`INSERT INTO plain_key VALUES (${nodeId}::uuid, ${spool}::uuid, ${BigInt(seq)}::bigint)`
        yield* sql`INSERT INTO plain_raw SELECT now(), ${nodeId}::uuid, id, ${raw}::uuid, ${raw}::uuid, now(), now(), up, down,
            (up + down) * 1000, id, 0
          FROM unnest(${ids}::uuid[], ${ups}::bigint[], ${downs}::bigint[]) AS x (id, up, down)`
        yield* sql`INSERT INTO plain_usage AS u SELECT id, up, down
          FROM unnest(${ids}::uuid[], ${ups}::bigint[], ${downs}::bigint[]) AS x (id, up, down) ORDER BY id
          ON CONFLICT (subscription_id) DO UPDATE SET bytes_up = u.bytes_up + EXCLUDED.bytes_up,
            bytes_down = u.bytes_down + EXCLUDED.bytes_down`
      })
    )
  })

const tables = [
  "CREATE TABLE IF NOT EXISTS plain_key (node_id uuid, spool uuid, seq bigint, PRIMARY KEY (node_id, spool, seq))",
  "CREATE TABLE IF NOT EXISTS plain_raw (LIKE traffic_report)",
  `CREATE TABLE IF NOT EXISTS plain_usage (subscription_id uuid PRIMARY KEY, bytes_up bigint NOT NULL, bytes_down bigint NOT NULL)`,
  "INSERT INTO plain_usage SELECT id, 0, 0 FROM bucket WHERE kind = 'subscription' ON CONFLICT DO NOTHING",
  "VACUUM ANALYZE plain_usage"
]

/** Ten inbounds on the node that the first subscriptions were linked to once, so that their configs stay as they are. */
const tenInbounds = async ({ node, sql }: Site, subscriptions: number): Promise<ReadonlyArray<number>> => {
  const ids = Array.from({ length: 10 }, () => randomUUID())
  const values = ids.map((id, index) => `('${id}'::uuid, ${30_000 + index})`).join()
  const ours = `id IN (${ids.map((id) => `'${id}'`).join()})`
  const first = `SELECT id FROM bucket WHERE kind = 'subscription' AND id BETWEEN '${idOf(1)}' AND '${idOf(subscriptions)}'`
  await sql.run(
    `INSERT INTO inbound (id, node_id, host, port, listen, protocol, network, tls, is_active, traffic_multiplier, settings,
        created_at, updated_at)
      SELECT v.id, i.node_id, i.host, v.port, i.listen, i.protocol, i.network, i.tls, false, 1000, i.settings, now(), now()
      FROM (VALUES ${values}) v (id, port), inbound i WHERE i.ref = ${node.inbounds[0]!}`,
    `INSERT INTO inbound_multiplier SELECT id, '-infinity', 1000 FROM (VALUES ${values}) v (id, port)`,
    `INSERT INTO subscription_inbound SELECT s.id, v.id, now(), now() FROM (${first}) s, (VALUES ${values}) v (id, port)`,
    `UPDATE bucket SET inbounds = inbounds || ARRAY(SELECT ref FROM inbound WHERE ${ours})
      WHERE kind = 'subscription' AND id IN (${first})`
  )
  return (await sql.run(`SELECT ref FROM inbound WHERE ${ours} ORDER BY ref`)).map(Number)
}

export const ingest: Case = {
  name: "ingest",
  goals: [4, 5],
  run: async (bench) => {
    const site = largest(bench)
    const stores = Stores.open(site)
    const base = await Stores.firstCredential(site)
    const source = Stores.scattered(site, batchSize)
    const { node } = site
    const origin = { nodeId: node.id, tokenId: node.tokenId }
    const spool = randomUUID()
    let seq = 0
    await site.sql.run(...tables)
    const narrow = Math.max(1, Math.min(source.size / 10, site.subscriptions))
    const many = await tenInbounds(site, narrow)

    const [{ inboundId }] = (await stores.run(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        return yield* sql<{
          readonly inboundId: string
        }>`SELECT id AS "inboundId" FROM inbound WHERE ref = ${node.inbounds[0]!}`
      })
    )) as [{ readonly inboundId: string }]

    const each = async (one: () => Effect.Effect<unknown, unknown, never> | Promise<unknown>) => {
      for (let batch = 0; batch < batchesEach; batch++) await one()
    }
    const raw = () =>
      Stores.timed(site, () =>
        each(() => {
          const to = Date.now()
          const key = { ...origin, spool, seq: ++seq, digest: "bench", lowest: seq, receivedAt: to }
          const amount = { inboundId, ownerId: null, up, down, weighted: (up + down) * 1000n }
          const rows = source.next().map((index) => ({ subscriptionId: idOf(index), ...amount }))
          const none = { ownerPieces: [], current: [], ownerCurrent: [], quarantined: [], stale: [] }
          const settlement = { rows, pieces: [{ subscriptionId: "", at: to, ...amount }], ...none }
          return stores.run(
            Effect.gen(function* () {
              const usage = yield* UsageStore.UsageStore
              const transaction = yield* Transaction.Transaction
              yield* transaction.run(
                Effect.andThen(usage.admit(key), usage.record({ key, from: to - 10_000, to, shift: 0, settlement }))
              )
            })
          )
        })
      )
    const report = (entries: () => ReadonlyArray<readonly [number, number]>) => () =>
      Stores.timed(site, () =>
        each(() => {
          const made = entries().map(([index, inbound]) => ({
            credential: base + index - 1,
            inbound,
            bytesUp: up,
            bytesDown: down
          }))
          return stores.run(
            Effect.flatMap(Enforcer.Enforcer, (enforcer) =>
              enforcer.report(origin, Stores.reportOf(spool, ++seq, made))
            )
          )
        })
      )
    const counted = report(() => source.next().map((index) => [index, node.inbounds[0]!] as const))
    const coalesced = report(() =>
      Array.from({ length: narrow }, (_, index) => many.map((inbound) => [index + 1, inbound] as const)).flat()
    )
    const plain = plainly(node.id, spool)
    const upserted = () => Stores.timed(site, () => each(() => stores.run(plain(++seq, source.next().map(idOf)))))
    const copy = await Copy.make(site, source.size, batchesEach)
    const sums = async () =>
      (
        await site.sql.run(
          "SELECT sum(bytes_up + bytes_down) FROM bucket WHERE kind = 'subscription'",
          "SELECT sum(bytes_up + bytes_down) FROM plain_usage",
          "SELECT count(*) FROM quarantine"
        )
      ).map(BigInt)
    const fold = () => Stores.timed(site, () => stores.run(Fold.all))

    for (const one of [raw, counted, upserted, coalesced, copy]) await one()
    await site.sql.run("DELETE FROM report_batch WHERE is_pending", "CHECKPOINT")
    const before = await sums()
    const [raws, counts, upserts, tens, copied] = await Load.interleaved(
      bench.rounds,
      raw,
      counted,
      upserted,
      coalesced,
      copy
    )
    const after = await sums()
    const entries = BigInt(source.size * batchesEach * bench.rounds)
    const tenth = BigInt(narrow * 10 * batchesEach * bench.rounds)
    const wanted = [(entries + tenth) * (up + down), entries * (up + down), 0n]
    wanted.forEach((sum, index) => {
      const found = after[index]! - before[index]!
      if (found !== sum) throw new Error(`${found} bytes were counted for ${sum} (${index})`)
    })
    await site.sql.run(
      "DELETE FROM report_batch b USING traffic_report r WHERE r.batch = b.batch AND r.owner_id IS NULL"
    )
    const folded = await fold()
    await stores.close()

    const size = source.size * batchesEach
    const perSecond = (milliseconds: number) => (size / milliseconds) * 1000
    const words = (took: ReadonlyArray<Stores.Took>) => {
      const middle = (of: (each: Stores.Took) => number) => short(median(took.map(of)))
      return `${middle(({ milliseconds }) => perSecond(milliseconds))}/s, CPU µs ${middle(({ here }) => (here * 1000) / size)} + ${middle(({ postgres }) => (postgres * 1000) / size)} PostgreSQL an entry`
    }
    const common = { subscriptions: site.subscriptions, unit: "×" as const }
    const seen = { size, raws, counts, upserts, tens, copied, folded }
    const of = (took: ReadonlyArray<Stores.Took>, than: ReadonlyArray<number>) =>
      took.map(({ milliseconds }, index) => than[index]! / milliseconds)
    const upsertTimes = upserts.map(({ milliseconds }) => milliseconds)
    const copiedWords = `COPY ${short(perSecond(median(copied)))}/s`
    const rows: ReadonlyArray<Row> = [
      {
        goal: 4,
        what: "raw rows and key at the store",
        ...common,
        values: of(raws, copied),
        bound: { atLeast: 0.8 },
        yardstick: `${copiedWords}; ours ${words(raws)}`,
        seen
      },
      {
        goal: 5,
        what: "counted, one report a subscription",
        ...common,
        values: of(counts, upsertTimes),
        bound: { atLeast: 0.9 },
        yardstick: `plain upsert ${words(upserts)}; ours ${words(counts)}`,
        seen: {}
      },
      {
        goal: 5,
        what: "counted, ten inbounds of each",
        ...common,
        values: of(
          tens,
          copied.map((each) => (each * narrow * 10) / source.size)
        ),
        bound: { atLeast: 0.5 },
        yardstick: `${copiedWords}; ours ${words(tens)}; folding it all ${short((folded.postgres * 1000) / (Number(entries + tenth) * 1))} µs an entry`,
        seen: {}
      }
    ]
    return rows
  }
}
