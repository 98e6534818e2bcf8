/**
 * The crash run: processes are killed again and again under load, and afterwards every byte is where it belongs.
 *
 *   npm run crash -- --rounds 30 --seed 7 --sing-box 1.12.12
 *   npm run crash -- --break idempotency     must fail: a proof that cannot fail is none
 */
import { existsSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Arena from "./Arena.ts"
import * as Blows from "./crash/Blows.ts"
import * as Load from "./crash/Load.ts"
import * as Plan from "./crash/Plan.ts"
import * as Sums from "./crash/Sums.ts"
import * as Truth from "./crash/Truth.ts"
import * as Expect from "./Expect.ts"
import * as Main from "./Main.ts"
import type * as Report from "./Report.ts"
import * as SingBox from "./SingBox.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "30" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "sing-box": { type: "string", default: SingBox.versions[0]! },
    break: { type: "string" },
    /** Deals what a broken rule is dealt, with nothing broken: the control of that run. */
    control: { type: "string" },
    keep: { type: "boolean", default: false }
  }
})
const main = Arena.testMain
const version = values["sing-box"]

/** Four subscribers, on the node that loses its sing-box and on one that never does; TCP and QUIC on each. */
const places: ReadonlyArray<Load.Place> = [
  { protocol: "vless", node: 0 },
  { protocol: "hysteria2", node: 0 },
  { protocol: "shadowsocks", node: 1 },
  { protocol: "hysteria2", node: 1 }
]

const points = ["agent.booked", "agent.sealed", "server.recorded", "server.committed"] as const

const run = async (report: Report.Report, place: Main.Place) => {
  const random = Plan.randomOf(Number(values.seed))
  const rule = values.break ?? values.control
  const plan = rule === undefined ? Plan.draw(Number(values.rounds), random) : Plan.against[rule]
  if (plan === undefined) throw new Error(`there is no rule ${rule} to break`)
  const breaking = values.break === undefined ? {} : { VPNMGR_BREAK: values.break }
  const env: Blows.Environments = {
    server: { VPNMGR_GRAIN: "5s", ...breaking },
    agent: { VPNMGR_READ_EVERY: "200ms", VPNMGR_REPORT_EVERY: "500ms", ...breaking }
  }
  const arena = await Arena.open({ singBox: version, main, serverEnv: env.server, agentEnv: env.agent })
  place.directory = arena.directory
  const truths = arena.nodes.map(Truth.follow)
  const loads: Array<Load.Loaded> = []
  for (const where of places) loads.push(await Load.start(arena, where))
  const began = Date.now()
  const hits: Array<Blows.Hit> = []

  await report.step(`${plan.length} rounds of kill -9 under load, seed ${values.seed}`, async () => {
    for (const [index, blow] of plan.entries()) {
      await sleep(300 + random() * 700)
      const before = loads.map((load) => load.flow())
      const hit = await Blows.deal(arena, truths, env, blow, random() < 0.5 ? 0 : 1)
      hits.push(hit)
      report.note(`  round ${index + 1}: ${hit.blow} at ${hit.at}${hit.line === undefined ? "" : ` (${hit.line})`}`)
      for (const [at, load] of loads.entries()) {
        if (load.node === Blows.victim || blow === "refill") continue
        Expect.holds(
          `the ${load.protocol} socket of node ${load.node + 1} is the same after ${blow}`,
          load.flow() === before[at]
        )
      }
    }
    return `${hits.length} hits`
  })
  const seconds = (Date.now() - began) / 1000
  await report.step("the load, together", () => {
    const rate = loads.reduce((sum, load) => sum + load.received(), 0) / seconds
    if (values.break === undefined) Expect.atLeast("bytes per second", Math.round(rate), 5_000_000)
    return `${(rate / 1e6).toFixed(1)} MB/s by ${loads.length} subscribers for ${seconds.toFixed(0)} s`
  })
  if (rule === undefined && plan.length >= 30) {
    await report.step("hits between two steps, each proved by a line", () => {
      const counts = points.map(
        (name) => [name, hits.filter((hit) => hit.blow === name && hit.line !== undefined).length] as const
      )
      for (const [name, count] of counts) Expect.atLeast(name, count, 3)
      return counts.map(([name, count]) => `${name} ${count}`).join(", ")
    })
  }
  for (const load of loads) await load.stop()
  await sleep(1000)
  for (const truth of truths) await truth.stop()
  const sums = await Sums.settled(arena, truths, loads)
  for (const sum of sums) {
    const { excusable, loaded, truth, usage } = sum
    await report.sequence("sums", async () => {
      await report.step(`sum of ${loaded.protocol} on node ${loaded.node + 1}`, () => {
        Expect.holds(
          `0 <= truth - usage <= ${excusable}: truth ${truth}, usage ${usage}, difference ${truth - usage}`,
          Sums.isRight(sum)
        )
        return `truth ${truth} B, usage ${usage} B, missing ${truth - usage} B of at most ${excusable} B`
      })
    })
  }
  await report.sequence("books", async () => {
    await report.step("raw reports, usage and quarantine agree", async () => {
      const [raw] = await arena.database.query(
        "SELECT coalesce(sum(bytes_up + bytes_down), 0) FROM vpnmgr.traffic_report"
      )
      const [pieces] = await arena.database.query(
        `SELECT coalesce(sum(bytes_up + bytes_down), 0) FROM (SELECT bytes_up, bytes_down FROM vpnmgr.usage_piece
          UNION ALL SELECT r.bytes_up, r.bytes_down FROM vpnmgr.traffic_report r
            JOIN vpnmgr.report_batch b ON b.batch = r.batch WHERE b.is_pending) p`
      )
      const [odd] = await arena.database.query("SELECT count(*) FROM vpnmgr.quarantine")
      Expect.same("raw reports against usage", raw, pieces)
      Expect.same("entries in quarantine", odd, "0")
      return `${raw} B in both, nothing in quarantine`
    })
  })
  const failed = report.failed()
  await arena.close(values.keep || failed > 0)
}

await Main.main("crash", async (report, place) => {
  const missing = await Main.missing(version)
  if (missing !== undefined) report.skip("crash", missing)
  else if (!existsSync(main)) report.skip("crash", "the test build; make it with npm run build:test -w @vpnmgr/cli")
  else await report.sequence("crash", () => run(report, place))
})
