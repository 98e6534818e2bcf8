/**
 * The soak: agents, apps and administration at work while everything under them breaks, again and again: PostgreSQL
 * restarts, connections are cut, servers are killed and frozen, clocks jump, disks fill, batches come twice and out of
 * order. At the end usage equals what was sent, audit equals the changes, memory has not grown, every answer was one that
 * the API's document names, and no log holds an error that nobody foresaw.
 *
 *   npm run soak -- --minutes 10 --seed 7
 *   npm run soak -- --minutes 1 --faults "full: node,full: tables"
 *   npm run soak -- --minutes 0.5 --faults "cut before agents" --break idempotency     must fail
 */
import { existsSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Arena from "./Arena.ts"
import { randomOf } from "./crash/Plan.ts"
import * as Expect from "./Expect.ts"
import * as Main from "./Main.ts"
import type * as Report from "./Report.ts"
import * as Simulator from "./Simulator.ts"
import * as SingBox from "./SingBox.ts"
import * as Administration from "./soak/Administration.ts"
import * as Answers from "./soak/Answers.ts"
import * as Ask from "./soak/Ask.ts"
import * as Faults from "./soak/Faults.ts"
import * as Fetches from "./soak/Fetches.ts"
import * as Ground from "./soak/Ground.ts"
import * as Heap from "./soak/Heap.ts"
import * as Judgement from "./soak/Judgement.ts"
import * as Kept from "./soak/Kept.ts"
import * as Logs from "./soak/Logs.ts"
import * as Memory from "./soak/Memory.ts"
import * as Plan from "./soak/Plan.ts"
import * as Stranger from "./soak/Stranger.ts"
import * as Tunnel from "./soak/Tunnel.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    servers: { type: "string", default: "2" },
    /** Simulated nodes. */
    nodes: { type: "string", default: "12" },
    /** Only these, by name, separated by commas. */
    faults: { type: "string" },
    "sing-box": { type: "string", default: SingBox.versions[0]! },
    /** A rule that a test build breaks. */
    break: { type: "string" },
    keep: { type: "boolean", default: false }
  }
})
const version = values["sing-box"]
const main = values.break === undefined ? Arena.cliMain : Arena.testMain
const minutes = Number(values.minutes)

/** Seconds until the first server's memory is measured, and by how much it may have grown at the end. */
const warmUp = Math.min(60, minutes * 20)
const tolerance = { heap: 1.1, resident: 1.25 }

/** Credentials that administration takes from the pool in all. */
const credentials = Math.min(1000, Math.ceil(40 + minutes * 40))

/** What each life of a server had resident: printed, for a heap is collected when it must be, and looks larger until then. */
const memory = (report: Report.Report, lives: ReadonlyArray<Memory.Life>) => {
  for (const life of lives) {
    const seconds = (life.samples.at(-1)?.at ?? 0) - (life.samples[0]?.at ?? 0)
    const { after, before, slope } = Memory.growth(life, warmUp)
    const grown = `median ${before.toFixed(0)} MB after ${warmUp} s, ${after.toFixed(0)} MB at the end, ${slope.toFixed(0)} MB/h`
    const isLong = seconds >= warmUp + 60
    report.note(
      `  ${life.name}, process ${life.pid}: peak ${life.peak.toFixed(0)} MB in ${seconds.toFixed(0)} s${isLong ? `; ${grown}` : ""}`
    )
  }
}

const run = async (report: Report.Report, place: Main.Place) => {
  const began = Date.now()
  const ground = await Ground.open({
    singBox: version,
    main,
    servers: Number(values.servers),
    nodes: Number(values.nodes),
    spares: credentials + 64,
    serverEnv: values.break === undefined ? {} : { VPNMGR_BREAK: values.break }
  })
  place.directory = ground.directory
  try {
    await soak(report, ground, began)
  } finally {
    await ground.close(values.keep || report.failed() > 0)
  }
}

const soak = async (report: Report.Report, ground: Ground.Ground, began: number) => {
  const random = randomOf(Number(values.seed))
  const { api, person, servers, ways } = ground
  const answers = await Answers.make(servers[0]!.url)
  const asker = Ask.make(ways.people.url, answers)
  const books = Kept.books()
  const owners = await Promise.all(
    ["reseller-one", "reseller-two"].map(async (username) => {
      const draft = { username, password: "a-password-of-some-length", role: "operator", group_ids: [] }
      return (await api.request<{ readonly id: string }>("POST", "/users", draft)).id
    })
  )
  const administration = Administration.make({
    asker,
    books,
    owners,
    random,
    credentials,
    headers: person.headers,
    inboundIds: [ground.inbounds.shadowsocks, ...ground.simulated.map(({ inboundId }) => inboundId)],
    pause: 700
  })
  const fetches = Fetches.make(asker, administration, random, 150)
  const stranger = Stranger.make(asker, ground.strangerKey)
  const simulator = await Simulator.start({
    agents: ground.simulated.map(({ key }) => ({ key, urls: [ways.agents.url] })),
    entries: 20,
    every: 1000,
    wait: 10,
    seed: Number(values.seed),
    trouble: { twice: 0.1, swapped: 0.1, cut: 0.1 }
  })
  await administration.found(20)
  const tunnels = [await Tunnel.open(ground, "shadowsocks"), await Tunnel.open(ground, "hysteria2")]
  const { epoch } = await ground.node.run()
  const following = Memory.follow(servers.map((server, index) => [`server ${index + 1}`, server] as const))
  const renewing = setInterval(() => void person.renew().catch(() => undefined), 20 * 60_000)
  await simulator.begin()
  administration.start(3)
  fetches.start(4)
  report.note(`open after ${((Date.now() - began) / 1000).toFixed(0)} s; seed ${values.seed}`)

  const firstPid = servers[0]!.process()!.pid
  const measured = sleep(warmUp * 1000).then(() => Heap.held(firstPid))
  measured.catch(() => undefined)
  const dealt = new Map<Plan.Fault, number>()
  const scene = { ground, asker, stranger, simulator, tunnels, random }
  const kinds = values.faults === undefined ? Plan.faults : Plan.parse(values.faults)
  await sleep(Math.min(10_000, minutes * 5000))
  const until = Date.now() + minutes * 60_000
  let turns = 0
  for (const fault of Plan.draw(kinds, random)) {
    if (Date.now() > until && (turns >= kinds.length || minutes < 3)) break
    turns++
    await report.sequence(fault, async () => {
      await report.step(fault, () => Faults.deal(fault, scene))
      dealt.set(fault, (dealt.get(fault) ?? 0) + 1)
    })
    answers.add(await simulator.figures())
    await sleep(500 + random() * 2000)
  }
  if (minutes >= 3) {
    await report.sequence("faults", async () => {
      await report.step("every kind of fault was dealt", () => {
        Expect.same("kinds missing", kinds.filter((kind) => !dealt.has(kind)).join(", "), "")
        return [...dealt].map(([kind, times]) => `${kind} ${times}`).join(", ")
      })
    })
  }

  clearInterval(renewing)
  await report.sequence("administration", async () => {
    await report.step("every change was answered in the end", async () => {
      await administration.stop()
      return `${books.changes().size} changes booked`
    })
  })
  await report.sequence("apps", async () => {
    await report.step("every config was the right one", async () => {
      await fetches.stop()
      return [...fetches.judged()].map(([kind, count]) => `${kind} ${count}`).join(", ")
    })
  })
  await report.sequence("traffic", async () => {
    await report.step("traffic on the real node", async () => {
      const standing = tunnels.filter((tunnel) => !tunnel.isStopped())
      const told = standing.map(
        (each) =>
          `${each.protocol} ${each.received()} B, ended ${each.ended()} times, longest gap ${each.longestGap()} ms`
      )
      for (const tunnel of standing) Expect.same(`flows of ${tunnel.protocol} that ended`, tunnel.ended(), 0)
      return told.join("; ")
    })
  })
  for (const tunnel of tunnels) if (!tunnel.isStopped()) await tunnel.stop()
  await report.sequence("agents", async () => {
    await report.step("agents send what they still hold", async () => {
      Expect.holds("all was acknowledged", await simulator.drain(90_000))
      return "nothing waits"
    })
  })
  const figures = await simulator.figures()
  answers.add(figures)
  await sleep(3000)
  const accounts = await simulator.books()
  await report.sequence("usage", () => Judgement.usage(report, ground, accounts, administration.all()))
  await report.sequence("real node", () => Judgement.traffic(report, ground, tunnels, epoch, began))
  await report.sequence("audit", () => Judgement.audit(report, ground, books, administration))
  await report.sequence("quarantine", () => Judgement.quarantine(report, ground, stranger))
  await following.stop()
  await report.sequence("memory", async () => {
    await report.step("memory of server 1, with nothing left to collect", async () => {
      const before = Expect.present("a figure from the beginning", await measured)
      Expect.same("the process", servers[0]!.process()?.pid, firstPid)
      const after = await Heap.held(firstPid)
      const judge = (what: "heap" | "resident") =>
        Expect.atMost(`MB ${what} (${before[what].toFixed(1)} before)`, after[what], before[what] * tolerance[what])
      if (minutes >= 2) for (const what of ["heap", "resident"] as const) judge(what)
      return `heap ${before.heap.toFixed(1)} MB after ${warmUp} s, ${after.heap.toFixed(1)} MB at the end; resident ${before.resident.toFixed(0)} MB, ${after.resident.toFixed(0)} MB`
    })
  })
  memory(report, following.lives())
  await report.sequence("answers", async () => {
    await report.step("every answer is one that the document names", () => {
      const [first] = answers.undocumented()
      Expect.same(
        "undocumented answers",
        first === undefined ? "" : `${answers.undocumented().length}, such as ${JSON.stringify(first)}`,
        ""
      )
      const defects = [...answers.byOperation()]
        .filter(([, statuses]) => statuses.has(500))
        .map(([operation]) => operation)
      Expect.same("operations answered with 500", defects.join(), "")
      return `${answers.requests()} requests`
    })
  })
  await report.sequence("logs", async () => {
    await report.step("no log holds an error that nobody foresaw", async () => {
      const logs = await Logs.read([...servers.map(({ log }) => log), ground.node.agent()!.log], true)
      for (const [message, count] of logs.errors) report.note(`  logged ${count} times: ${message}`)
      Expect.same("unhandled errors", logs.unhandled.slice(0, 5).join("\n").slice(0, 3000), "")
      return `${[...logs.errors.values()].reduce((sum, count) => sum + count, 0)} errors foreseen`
    })
  })
  for (const [operation, statuses] of [...answers.byOperation()].sort())
    report.note(
      `  ${operation}: ${[...statuses]
        .sort()
        .map(([status, count]) => `${status} × ${count}`)
        .join(", ")}`
    )
  for (const [kind, count] of [...answers.errors()].sort()) report.note(`  ${kind}: ${count}`)
  await simulator.close()
  asker.close()
}

await Main.main("soak", async (report, place) => {
  const missing = await Main.missing(version)
  if (missing !== undefined) report.skip("soak", missing)
  else if (!existsSync(main)) report.skip("soak", "the test build; make it with npm run build:test -w @vpnmgr/cli")
  else await report.sequence("soak", () => run(report, place))
})
