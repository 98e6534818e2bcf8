/**
 * Goal 7: weighing. The incremental pass weighs the buckets that a batch of 10,000 touched; the full pass weighs every
 * bucket there is and finds those whose stored exhaustion is wrong (`BucketStore.misjudged`, what `Ledger.mend` begins
 * with), against the plainest scan of the same table.
 */
import { BucketStore } from "@vpnmgr/core"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { type Case, largest } from "../Case.ts"
import { median, short } from "../Figures.ts"
import * as Load from "../Load.ts"
import { idOf } from "../Seed.ts"
import * as Stores from "../Stores.ts"

const limit = 1000

export const quota: Case = {
  name: "quota",
  goals: [7],
  run: async (bench) => {
    const site = largest(bench)
    const stores = Stores.open(site)
    const source = Stores.scattered(site, 10_000)
    const misjudged = (among?: ReadonlyArray<BucketStore.BucketKey>) => async () => {
      const took = await Stores.timed(site, async () => {
        const found = await stores.run(
          Effect.flatMap(BucketStore.BucketStore, (buckets) => buckets.misjudged(limit, among))
        )
        if (found.length > 0) throw new Error(`${found.length} buckets are judged wrongly`)
      })
      return took.milliseconds
    }
    const incremental = () =>
      misjudged(source.next().map((index) => ({ kind: "subscription" as const, id: idOf(index) })))()
    const scan = async () => {
      const took = await Stores.timed(site, async () => {
        const [found] = await stores.run(
          Effect.flatMap(
            SqlClient.SqlClient,
            (sql) => sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM bucket
              WHERE kind = 'subscription' AND used > (max_traffic - 1)::numeric * 1000 AND exhausted_until IS NULL`
          )
        )
        if (found!.count > 0) throw new Error(`${found!.count} buckets are over their limit`)
      })
      return took.milliseconds
    }
    const control = await site.sql.run(
      `UPDATE bucket SET exhausted_until = 'infinity' WHERE id = '${idOf(1)}' AND kind = 'subscription' RETURNING 1`
    )
    const found = await stores.run(Effect.flatMap(BucketStore.BucketStore, (buckets) => buckets.misjudged(limit)))
    await site.sql.run(`UPDATE bucket SET exhausted_until = NULL WHERE id = '${idOf(1)}' AND kind = 'subscription'`)
    if (control.length !== 1 || found.length !== 1 || found[0]!.id !== idOf(1))
      throw new Error(`a bucket that was made wrong is not what was found: ${JSON.stringify(found)}`)
    const full = misjudged()
    for (const one of [incremental, full, scan]) await one()
    const [parts, fulls, scans] = await Load.interleaved(bench.rounds, incremental, full, scan)
    await stores.close()
    const common = { goal: 7, subscriptions: site.subscriptions, unit: "×" as const, seen: { parts, fulls, scans } }
    const scanned = `a scan ${short(median(scans))} ms`
    return [
      {
        ...common,
        what: `weighing ${source.size} buckets`,
        values: parts.map((each, index) => each / scans[index]!),
        bound: { atMost: 0.35 },
        yardstick: `${scanned}; ours ${short(median(parts))} ms`
      },
      {
        ...common,
        what: "weighing every bucket",
        values: fulls.map((each, index) => each / scans[index]!),
        bound: { atMost: 1.3 },
        yardstick: `${scanned}; ours ${short(median(fulls))} ms`
      }
    ]
  }
}
