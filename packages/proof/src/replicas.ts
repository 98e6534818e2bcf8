/**
 * The replica run: two servers on one database behind a balancer, three nodes of which one is frozen, batches that
 * overlap in everything they touch, and configs that one replica forbids and another hands out; then two and four servers
 * under load while one after the other is killed, frozen, cut off and stopped, and two behind PgBouncer.
 *
 *   npm run replicas -- --sing-box 1.12.12
 *   npm run replicas -- --only many
 *   npm run replicas -- --only staleness --break config-cache     must fail: a proof that cannot fail is none
 */
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Arena from "./Arena.ts"
import * as Plan from "./crash/Plan.ts"
import * as Database from "./Database.ts"
import * as Expect from "./Expect.ts"
import * as Main from "./Main.ts"
import * as Balancer from "./replicas/Balancer.ts"
import * as Batches from "./replicas/Batches.ts"
import * as Configs from "./replicas/Configs.ts"
import * as Many from "./replicas/Many.ts"
import * as Pooled from "./replicas/Pooled.ts"
import * as PgBouncer from "./PgBouncer.ts"
import type * as Report from "./Report.ts"
import * as SingBox from "./SingBox.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "sing-box": { type: "string", default: SingBox.versions[0]! },
    /** One part alone: staleness, many, pgbouncer. */
    only: { type: "string" },
    /** Of the many, this number of replicas alone. */
    count: { type: "string" },
    /** A rule that a test build breaks. */
    break: { type: "string" },
    keep: { type: "boolean", default: false }
  }
})
const version = values["sing-box"]
const overlapping = 50
const people = 30
const frozen = 2

const portOf = (url: string) => Number(new URL(url).port)

const run = async (report: Report.Report, place: Main.Place) => {
  let balancer!: Balancer.Balancer
  const isAlone = values.only === "staleness"
  const arena = await Arena.open({
    singBox: version,
    nodes: isAlone ? 1 : 3,
    ...(values.break === undefined ? {} : { main: Arena.testMain, serverEnv: { VPNMGR_BREAK: values.break } }),
    replicas: ["replica"],
    through: async (urls) => {
      balancer = await Balancer.start(urls.map(portOf))
      return balancer.url
    }
  })
  place.directory = arena.directory
  const { api, nodes } = arena
  const [replica] = arena.replicas
  if (isAlone) {
    await Configs.run(report, arena)
    const failed = report.failed()
    balancer.close()
    return arena.close(values.keep || failed > 0)
  }
  const pendingOn = async (id: string) => (await api.get(id)).pending_node_ids

  /** Waits until every node but the frozen one serves the newest change. */
  const reachesTheLiving = (id: string) =>
    Expect.timed(() =>
      Expect.soon(
        "every living node serves the change",
        15_000,
        async () => {
          const pending = await pendingOn(id)
          return pending.every((node) => node === nodes[frozen]!.id) ? pending : undefined
        },
        () => id
      )
    )

  const owner = await api.request<{ readonly id: string }>("POST", "/users", {
    username: "reseller",
    password: "a-password-of-some-length",
    role: "operator",
    group_ids: []
  })
  const ownerId = owner.id
  const subscriptions = await Promise.all(
    Array.from({ length: people }, (_, index) =>
      api.request<{ readonly id: string }>("POST", "/subscriptions", {
        title: `person ${index}`,
        owner_id: ownerId,
        inbound_ids: arena.inbounds({ protocols: ["shadowsocks"] })
      })
    )
  )
  for (const { id } of subscriptions) await arena.converged(id)

  await report.sequence("batches", async () => {
    await report.step(
      `${overlapping} overlapping batches at once, through two replicas, seed ${values.seed}`,
      async () => {
        const rows = await arena.database.query(
          "SELECT ref, subscription_id FROM vpnmgr.credential WHERE subscription_id IS NOT NULL"
        )
        const ofRef = new Map(rows.map((row) => row.split("|") as [string, string]))
        const [inboundRows, keys] = [
          await arena.database.query("SELECT node_id, ref FROM vpnmgr.inbound WHERE protocol = 'shadowsocks'"),
          new Map(nodes.map((node) => [node.id, node.key]))
        ]
        const senders = inboundRows.map((row) => {
          const [node, ref] = row.split("|") as [string, string]
          return { key: keys.get(node)!, inbound: Number(ref) }
        })
        const batches = Batches.make(
          senders,
          [...ofRef.keys()].map(Number),
          overlapping,
          Plan.randomOf(Number(values.seed))
        )
        const urls = [arena.server.url, replica!.url]
        const [answers, took] = await Expect.timed(() =>
          Promise.all(batches.map((batch, index) => Batches.post(urls[index % 2]!, batch)))
        )
        const refused = answers.filter(({ status }) => status !== 200)
        Expect.same("answers other than 200", refused.map(({ status, text }) => `${status} ${text}`).join("; "), "")
        const expected = new Map<string, bigint>()
        for (const { credential, bytes } of batches.flatMap((batch) => batch.entries)) {
          const id = ofRef.get(String(credential))!
          expected.set(id, (expected.get(id) ?? 0n) + bytes)
        }
        for (const [id, bytes] of expected) {
          const { down, up } = await api.usage(id)
          Expect.same(`usage of ${id}`, up + down, bytes)
        }
        const total = [...expected.values()].reduce((sum, bytes) => sum + bytes, 0n)
        const [owned] = await arena.database.query(
          `SELECT sum(used) FROM vpnmgr.owner_usage WHERE owner_id = '${ownerId}'`
        )
        Expect.same("the owner's usage, weighted", owned, String(total * 1000n))
        const again = await Promise.all(batches.map((batch, index) => Batches.post(urls[(index + 1) % 2]!, batch)))
        Expect.holds(
          "replays through the other replica are answered the same",
          again.every(({ status }) => status === 200)
        )
        const [after] = await arena.database.query(
          `SELECT sum(used) FROM vpnmgr.owner_usage WHERE owner_id = '${ownerId}'`
        )
        Expect.same("the owner's usage after the replays", after, owned)
        return `${batches.length} × ${ofRef.size} entries in ${took} ms, ${total} B exact for ${expected.size} subscriptions and their owner`
      }
    )
  })

  const [subscription] = subscriptions
  await report.sequence("a frozen node", async () => {
    await report.step("changes reach the living nodes while one is frozen", async () => {
      process.kill(nodes[frozen]!.agent()!.pid, "SIGSTOP")
      const times: Array<number> = []
      for (let round = 0; round < 10; round++) {
        await api.act(subscription!.id, round % 2 === 0 ? "suspend" : "resume")
        const [pending, took] = await reachesTheLiving(subscription!.id)
        Expect.same("the frozen node is named", pending.join(), nodes[frozen]!.id)
        times.push(took)
      }
      return `10 changes, the slowest in ${Math.max(...times)} ms; the frozen node is named as pending`
    })
    await report.step("thawed, it serves the newest change", async () => {
      process.kill(nodes[frozen]!.agent()!.pid, "SIGCONT")
      return `${await arena.converged(subscription!.id, 90_000)} ms`
    })
  })

  await report.sequence("a killed replica", async () => {
    await report.step("a replica is killed in mid long poll", async () => {
      const runs = await Promise.all(nodes.map((node) => node.run()))
      const before = [...balancer.given].map(([port, count]) => `${port}: ${count}`).join(", ")
      await replica!.stop("SIGKILL")
      await sleep(500)
      await api.act(subscription!.id, "suspend")
      const took = await arena.converged(subscription!.id, 30_000)
      const later = await Promise.all(nodes.map((node) => node.run()))
      Expect.same("runs of sing-box", later.map(({ epoch }) => epoch).join(), runs.map(({ epoch }) => epoch).join())
      return `the next change converged in ${took} ms on all ${nodes.length} nodes; connections before by port: ${before}`
    })
    await report.step("it comes back and takes its share", async () => {
      const took = await replica!.start()
      await api.act(subscription!.id, "resume")
      return `ready in ${took} ms, converged in ${await arena.converged(subscription!.id, 30_000)} ms`
    })
  })

  await Configs.run(report, arena)

  await report.sequence("deadlocks", async () => {
    await report.step("no deadlock surfaced", async () => {
      const [deadlocks] = await arena.database.query(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
      )
      return `PostgreSQL resolved ${deadlocks}; no request failed by one`
    })
  })
  const failed = report.failed()
  balancer.close()
  await arena.close(values.keep || failed > 0)
}

const build = values.break === undefined ? {} : { main: Arena.testMain, env: { VPNMGR_BREAK: values.break } }

/** Two replicas, and four, each in a database of their own. */
const many = async (report: Report.Report, place: Main.Place) => {
  const shared = { ...build, seed: Number(values.seed), keep: values.keep, place }
  for (const [count, blows] of [
    [2, ["killed", "stopped"]],
    [4, ["killed", "frozen", "cut off", "stopped"]]
  ] as const) {
    if (values.count !== undefined && Number(values.count) !== count) continue
    const database = await Database.start()
    await Many.run(report, `${count} replicas`, { ...shared, database, count, blows })
    await database.close()
  }
}

/** Two replicas behind PgBouncer in transaction mode, after start-up has said what it takes. */
const pooled = async (report: Report.Report, place: Main.Place) => {
  if (PgBouncer.find() === null) return report.skip("pgbouncer", PgBouncer.missing)
  const database = await Database.start()
  const pooler = await PgBouncer.start(database.url)
  await report.sequence("pgbouncer", async () => {
    await report.step("start-up says what PgBouncer in transaction mode takes", () => Pooled.asked(database, pooler))
    await Many.run(report, "2 replicas behind PgBouncer", {
      ...build,
      env: { VPNMGR_DATABASE_LISTEN_URL: database.url },
      database,
      url: pooler.url,
      count: 2,
      blows: ["killed", "frozen"],
      seed: Number(values.seed),
      keep: values.keep,
      place
    })
  })
  await pooler.close()
  return database.close()
}

await Main.main("replicas", async (report, place) => {
  const missing = await Main.missing(version)
  if (missing !== undefined) report.skip("replicas", missing)
  else if (values.only === undefined || values.only === "staleness")
    await report.sequence("replicas", () => run(report, place))
  if (values.only === undefined || values.only === "many") await many(report, place)
  if (values.only === undefined || values.only === "pgbouncer") await pooled(report, place)
})
