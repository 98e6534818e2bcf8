/**
 * Two and four replicas under load, while the one that does what one does for all is killed, frozen, cut off from the
 * database and stopped: who follows it and when, what was sent and what was counted, what was changed and what the audit
 * trail says.
 */
import { setTimeout as sleep } from "node:timers/promises"
import * as Plan from "../crash/Plan.ts"
import type * as Database from "../Database.ts"
import * as Expect from "../Expect.ts"
import type * as Main from "../Main.ts"
import type * as Report from "../Report.ts"
import * as Cluster from "./Cluster.ts"
import * as Traffic from "./Traffic.ts"

/** Milliseconds within which what one does for all goes on elsewhere: after a blow, and after an orderly stop. */
const within = 15_000
const withinOfStop = 3000

export interface Options extends Omit<Cluster.Options, "database"> {
  readonly database: Database.Database
  readonly seed: number
  /** Which blows are dealt, in their order. */
  readonly blows: ReadonlyArray<Blow>
  readonly keep: boolean
  /** Told where the logs are. */
  readonly place: Main.Place
}

export type Blow = "killed" | "frozen" | "cut off" | "stopped"

const holderOf = (cluster: Cluster.Cluster) =>
  Expect.soon("a holder of the lease", 20_000, cluster.holder, () => "nobody", 100)

/** Waits until another one holds the lease and has turned a window that ended after `blow`; answers how long that took. */
const followed = async (cluster: Cluster.Cluster, before: Cluster.Holder, blow: number, bound: number) => {
  const ask = async () => {
    const [holder, turned] = [await cluster.holder(), await cluster.turned()]
    return holder !== undefined && holder.id !== before.id && turned > blow ? holder : undefined
  }
  const holder = await Expect.soon("another replica does what one does for all", 2 * bound, ask, () => "the same", 100)
  const took = Date.now() - blow
  Expect.atMost("milliseconds until it moved", took, bound)
  Expect.same("changes of holder", holder.term - before.term, 1)
  return { holder, took }
}

/** Deals a blow to whoever holds the lease, and undoes it. */
const strike = async (cluster: Cluster.Cluster, blow: Blow): Promise<string> => {
  const before = await holderOf(cluster)
  const { cable, server } = before.replica
  const pid = Expect.present("its process", server.process()).pid
  const at = Date.now()
  if (blow === "killed") await server.stop("SIGKILL")
  if (blow === "frozen") process.kill(pid, "SIGSTOP")
  if (blow === "cut off") cable.cut()
  const stopped = blow === "stopped" ? server.stop("SIGTERM") : undefined
  const { holder, took } = await followed(cluster, before, at, blow === "stopped" ? withinOfStop : within)
  const ended = stopped === undefined ? "" : `, ended in ${await stopped} ms`
  await sleep(1000)
  if (blow === "killed" || blow === "stopped") await server.start()
  if (blow === "frozen") process.kill(pid, "SIGCONT")
  if (blow === "cut off") cable.mend()
  await Expect.soon("it is ready again", 30_000, async () =>
    (await fetch(`${server.url}/health/ready`, { signal: AbortSignal.timeout(2000) }).then(
      ({ ok }) => ok,
      () => false
    ))
      ? true
      : undefined
  )
  await sleep(3000)
  Expect.same("who holds the lease after it came back", (await holderOf(cluster)).id, holder.id)
  return `moved in ${took} ms${ended}; back again it did not take it back`
}

const audited = async (database: Database.Database): Promise<ReadonlyMap<string, number>> => {
  const rows = await database.query("SELECT action, count(*) FROM vpnmgr.audit_log GROUP BY action")
  return new Map(rows.map((row) => row.split("|") as [string, string]).map(([action, n]) => [action, Number(n)]))
}

const number = async (database: Database.Database, sql: string) => (await database.query(sql))[0] ?? "0"

/** Compares what was acknowledged with what is stored. */
const compare = async (cluster: Cluster.Cluster, sums: Traffic.Sums, before: ReadonlyMap<string, number>) => {
  const { database } = cluster
  let total = 0n
  for (const [id, bytes] of sums.bytes) {
    const { down, up } = await cluster.api.usage(id)
    Expect.same(`sum of ${id}`, up + down, bytes)
    total += bytes
  }
  const owned = `SELECT sum(bytes_up + bytes_down) FROM vpnmgr.owner_piece WHERE owner_id = '${cluster.owner}'`
  Expect.same("sum of their owner", await number(database, owned), String(total))
  const raw = "SELECT sum(bytes_up + bytes_down) FROM vpnmgr.traffic_report"
  Expect.same("sum of the single reports", await number(database, raw), String(total))
  const after = await audited(database)
  for (const [action, done] of sums.changes)
    Expect.same(`${action} in the audit trail`, (after.get(action) ?? 0) - (before.get(action) ?? 0), done)
  const made = "SELECT count(*) FROM vpnmgr.subscription WHERE title = 'made under load'"
  Expect.same("subscriptions made", await number(database, made), String(sums.changes.get("subscription.create") ?? 0))
  const changes = [...sums.changes.values()].reduce((sum, done) => sum + done, 0)
  return `${total} B in ${sums.batches} batches, ${sums.repeated} of them sent twice; ${changes} changes, each audited once`
}

/** Runs the sequence on a cluster of its own, in a database of the caller's. */
export const run = async (report: Report.Report, name: string, options: Options): Promise<void> =>
  report.sequence(name, async () => {
    const cluster = await Cluster.open(options)
    options.place.directory = cluster.directory
    const failedBefore = report.failed()
    let load: Traffic.Traffic | undefined
    try {
      const before = await audited(options.database)
      await holderOf(cluster)
      const given = new Map(cluster.balancer.given)
      const begun = Traffic.start(cluster, Plan.randomOf(options.seed))
      load = begun
      await report.step(`${name} share the load`, async () => {
        await sleep(5000)
        const shares = [...cluster.balancer.given].map(([port, count]) => count - (given.get(port) ?? 0))
        const total = shares.reduce((sum, count) => sum + count, 0)
        for (const share of shares)
          Expect.atLeast("requests of a replica", share, Math.floor(total / options.count / 2))
        return `${total} requests in 5 s: ${shares.join(", ")}`
      })
      for (const blow of options.blows)
        await report.step(`${name}: the holder is ${blow} under load`, () => strike(cluster, blow))
      await report.step(`${name}: nothing was lost and nothing doubled, seed ${options.seed}`, async () =>
        compare(cluster, await begun.stop(), before)
      )
      const { answers } = await begun.stop()
      report.note([...answers].map(([kind, count]) => `${kind}: ${count}`).join(", "))
    } finally {
      await load?.stop().catch(() => undefined)
      await cluster.close(options.keep || report.failed() > failedBefore)
    }
  })
