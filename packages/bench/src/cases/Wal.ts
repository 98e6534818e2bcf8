/**
 * What an hour of 10,000 users costs the disk, and whether counters are changed in place: a sample of the hour's 360
 * batches, folded as often as in production, everything that PostgreSQL wrote to its log meanwhile, scaled to the hour.
 *
 * A peer's 25,800 users made 93 GB of WAL in two days, and 0.002 % of its updates were in place.
 */
import { randomUUID } from "node:crypto"
import { Enforcer, Fold } from "@vpnmgr/core"
import { Effect } from "effect"
import { type Case, largest } from "../Case.ts"
import { short } from "../Figures.ts"
import * as Stores from "../Stores.ts"

/** Reports of an hour, one every ten seconds. */
const hourly = 360
/** Reports between two folds, as `Fold.longestWait` has it. */
const perFold = Fold.longestWait / 10_000
const counters = ["bucket", "owner_usage", "owner_piece"]

export const wal: Case = {
  name: "wal",
  goals: [0],
  run: async (bench) => {
    const site = largest(bench)
    const stores = Stores.open(site)
    const base = await Stores.firstCredential(site)
    const size = Math.min(10_000, site.subscriptions)
    const [inbound] = site.node.inbounds
    const spool = randomUUID()
    const users = Stores.scattered(site, size).next()
    let seq = 0
    const report = () => {
      const entries = users.map((index) => ({
        credential: base + index - 1,
        inbound: inbound!,
        bytesUp: 1000n,
        bytesDown: 10_000n
      }))
      const origin = { nodeId: site.node.id, tokenId: site.node.tokenId }
      return stores.run(
        Effect.flatMap(Enforcer.Enforcer, (enforcer) => enforcer.report(origin, Stores.reportOf(spool, ++seq, entries)))
      )
    }
    const position = async () => BigInt((await site.sql.run("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))[0]!)
    /** What PostgreSQL tells of updates; an idle backend tells of its last ones ten seconds later. */
    const updates = async (atLeast: number) => {
      for (const until = Date.now() + 30_000; ;) {
        const [row] = await site.sql.run(
          `SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_user_tables
            WHERE schemaname = 'vpnmgr' AND relname IN (${counters.map((name) => `'${name}'`).join()})`
        )
        const [all, hot] = row!.split("|").map(Number) as [number, number]
        if (all >= atLeast) return { all, hot }
        if (Date.now() > until) throw new Error(`${all} updates of counters are told of, expected ${atLeast}`)
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
    const settled = async () => {
      const { all } = await updates(0)
      await new Promise((resolve) => setTimeout(resolve, 11_000))
      return updates(all)
    }
    await stores.run(Fold.all)
    await report()
    await site.sql.run("CHECKPOINT")
    for (let warm = 0; warm < 2; warm++) await report()

    const shares: Array<number> = []
    const bytes: Array<number> = []
    const folds: Array<number> = []
    for (let round = 0; round < bench.rounds; round++) {
      const before = await settled()
      const began = await position()
      for (let each = 0; each < perFold; each++) await report()
      const reported = await position()
      const after = await updates(before.all + size * perFold)
      shares.push((100 * (after.hot - before.hot)) / (after.all - before.all))
      await stores.run(Fold.all)
      const folded = await position()
      folds.push(Number(folded - reported))
      bytes.push((Number(folded - began) * hourly * 10_000) / perFold / size)
    }
    await stores.close()
    const gigabytes = bytes.map((each) => short(each / 1e9)).join(", ")
    const peer = short(93 / 48 / 2.58)
    return [
      {
        goal: 0,
        what: "counters changed in place",
        subscriptions: site.subscriptions,
        values: shares,
        unit: "%" as const,
        bound: { atLeast: 95 },
        yardstick: `a peer 0.002 %. WAL of 10,000 users in an hour, a report every 10 s: ${gigabytes} GB; a peer, by its own pace, ${peer} GB`,
        seen: { bytes, folds }
      }
    ]
  }
}
