/** Deals the faults: does the damage, looks at what is answered meanwhile, undoes it, and waits until all goes on by itself. */
import { setTimeout as sleep } from "node:timers/promises"
import * as Expect from "../Expect.ts"
import type { Simulator } from "../Simulator.ts"
import type { Asker } from "./Ask.ts"
import type { Disk } from "./Disk.ts"
import * as Embedded from "./Embedded.ts"
import * as FullNode from "./FullNode.ts"
import type { Ground } from "./Ground.ts"
import type { Fault } from "./Plan.ts"
import type { Batch, Stranger } from "./Stranger.ts"
import type { Tunnel } from "./Tunnel.ts"

export interface Scene {
  readonly ground: Ground
  readonly asker: Asker
  readonly stranger: Stranger
  readonly simulator: Simulator
  /** Everybody who ever was on the real node: who downloads all the time, and who came and went. */
  readonly tunnels: Array<Tunnel>
  readonly random: () => number
}

const patience = 120_000

/** Entries of a batch that needs more room than a full disk has. */
const large = 5000

const ready = async (url: string) => {
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
  return answer?.ok === true
}

/** Waits, without helping, until every server is ready and a batch is taken; answers the milliseconds. */
const recovered = async ({ ground, stranger }: Scene): Promise<number> => {
  const [, took] = await Expect.timed(async () => {
    for (const [index, { url }] of ground.servers.entries())
      await Expect.soon(
        `server ${index + 1} is ready again by itself`,
        patience,
        async () => ((await ready(url)) ? true : undefined),
        () => ground.servers[index]!.process()?.output().slice(-1500),
        50
      )
    await stranger.deliver(stranger.batch(1))
  })
  return took
}

/** Gives PostgreSQL a moment, and starts it again where it has ended itself, as whatever supervises it does. */
const supervised = async ({ database: { postgres } }: Ground): Promise<string> => {
  await sleep(1000)
  if (postgres.pid() !== undefined) return "PostgreSQL went on by itself"
  await postgres.start()
  return "PostgreSQL had given up and was started again"
}

/** Rows that the quarantine has of a batch, asked past the servers once PostgreSQL answers. */
const rowsOf = async ({ database }: Ground, { seq, spool }: Batch): Promise<number> => {
  const count = `SELECT count(*) FROM vpnmgr.quarantine WHERE spool = '${spool}' AND seq = ${seq}`
  let refused = ""
  const [rows] = await Expect.soon(
    "PostgreSQL answers",
    patience,
    () => database.query(count).catch((cause: unknown) => void (refused = String(cause))),
    () => refused,
    500
  )
  return Number(rows)
}

/** Fills a disk and sends batches until one is refused; answers that one, and how many were taken before. */
const refused = async ({ asker, stranger }: Scene, disk: Disk, mayLose: boolean) => {
  await disk.fill()
  for (let taken = 0; taken < 60; taken++) {
    const batch = stranger.batch(large)
    const answer = await asker.once(stranger.question(batch))
    if (answer?.status === 200) stranger.book(batch)
    else {
      if (answer === null && !mayLose) throw new Error("a full disk was not answered at all")
      if (answer !== null) Expect.same("what a full disk is answered with", answer.status, 503)
      return { batch, taken, answer }
    }
  }
  throw new Error("sixty large batches found room on a full disk")
}

const tablesAreFull = async (scene: Scene): Promise<string> => {
  const { ground, stranger } = scene
  const { tables } = ground.disks
  try {
    const { batch, taken } = await refused(scene, tables, false)
    await sleep(3000)
    await tables.free()
    const how = await supervised(ground)
    Expect.same("entries kept of the batch that was refused", await rowsOf(ground, batch), 0)
    await stranger.deliver(batch)
    Expect.same("entries kept of it once there was room", await rowsOf(ground, batch), large)
    return `503 after ${taken} batches, nothing kept; ${how}; then taken whole`
  } finally {
    await tables.free()
    await supervised(ground)
  }
}

const logIsFull = async (scene: Scene): Promise<string> => {
  const { ground, stranger } = scene
  const { log } = ground.disks
  try {
    const { answer, batch, taken } = await refused(scene, log, true)
    await sleep(3000)
    await log.free()
    const how = await supervised(ground)
    await stranger.deliver(batch)
    Expect.same("entries kept of it once there was room", await rowsOf(ground, batch), large)
    return `${answer === null ? "the answer was lost" : answer.status} after ${taken} batches; ${how}`
  } finally {
    await log.free()
    await supervised(ground)
  }
}

const serverIsFull = async ({ asker, ground }: Scene): Promise<string> => {
  const { server: disk } = ground.disks
  const last = ground.servers.at(-1)!
  try {
    await disk.fill()
    const whole = { method: "GET", template: "/health/ready", path: "/health/ready" } as const
    for (let index = 0; index < 10; index++) {
      Expect.same("a server whose own disk is full answers", (await asker.settle(whole)).status, 200)
      await sleep(100)
    }
    await last.stop("SIGKILL")
    const took = await last.start()
    return `served on; a server killed and started on the full disk was ready in ${took} ms`
  } finally {
    await disk.free()
    if (last.process()?.isRunning() !== true) await last.start()
  }
}

const clockOfTheNode = async ({ ground, random }: Scene): Promise<string> => {
  const moved = Math.round((random() < 0.5 ? -1 : 1) * (10 + random() * 110)) * 60_000
  await ground.clocks.node.move(moved, 4000)
  return `by ${moved / 60_000} min and back`
}

const clockOfAServer = async ({ ground, random }: Scene): Promise<string> => {
  const moved = Math.round((random() < 0.5 ? -1 : 1) * (10 + random() * 20)) * 60_000
  await ground.clocks.server.move(moved, 4000)
  return `by ${moved / 60_000} min and back`
}

const clockOfAgents = async ({ ground, random, simulator }: Scene): Promise<string> => {
  const agents = ground.simulated.map((_, index) => index).filter(() => random() < 0.5)
  const moved = Math.round((random() < 0.5 ? -1 : 1) * (6 + random() * 120)) * 60_000
  await simulator.jump(moved, agents)
  await sleep(2000)
  return `${agents.length} by ${moved / 60_000} min`
}

const frozen = async ({ ground, random }: Scene): Promise<string> => {
  const index = Math.floor(random() * ground.servers.length)
  const { pid } = Expect.present("a server", ground.servers[index]!.process())
  const milliseconds = Math.round(3000 + random() * 4000)
  process.kill(pid, "SIGSTOP")
  await sleep(milliseconds)
  process.kill(pid, "SIGCONT")
  return `server ${index + 1} for ${milliseconds} ms`
}

const killed = async ({ ground, random }: Scene): Promise<string> => {
  const index = Math.max(1, Math.floor(random() * ground.servers.length))
  await ground.servers[index]!.stop("SIGKILL")
  await sleep(500)
  return `server ${index + 1}, ready again in ${await ground.servers[index]!.start()} ms`
}

const restarted = async ({ ground, random }: Scene, how: "fast" | "immediate"): Promise<string> => {
  const { postgres } = ground.database
  await postgres.stop(how)
  const milliseconds = Math.round(500 + random() * 3000)
  await sleep(milliseconds)
  await postgres.start()
  return `down for ${milliseconds} ms`
}

const connectionsEnded = async ({ ground }: Scene): Promise<string> => {
  let ended = 0
  for (let round = 0; round < 5; round++) {
    const rows = await ground.database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    ended += rows.length
    await sleep(300)
  }
  return `${ended} connections`
}

const agentKilled = async ({ ground: { node } }: Scene): Promise<string> => {
  await node.stopAgent("SIGKILL")
  await sleep(500)
  await node.startAgent()
  return "and started again"
}

const cut = async ({ ground }: Scene, way: keyof Ground["ways"]): Promise<string> => {
  let count = 0
  for (let round = 0; round < 8; round++) {
    count += ground.ways[way].cut()
    await sleep(250)
  }
  return `${count} connections`
}

const deals: Readonly<Record<Fault, (scene: Scene) => Promise<string>>> = {
  "postgres fast": (scene) => restarted(scene, "fast"),
  "postgres immediate": (scene) => restarted(scene, "immediate"),
  "postgres connections ended": connectionsEnded,
  "server killed": killed,
  "server frozen": frozen,
  "agent killed": agentKilled,
  "cut before postgres": (scene) => cut(scene, "database"),
  "cut before agents": (scene) => cut(scene, "agents"),
  "cut before people": (scene) => cut(scene, "people"),
  "clock of agents": clockOfAgents,
  "clock of the node": clockOfTheNode,
  "clock of a server": clockOfAServer,
  "full: tables": tablesAreFull,
  "full: log": logIsFull,
  "full: server": serverIsFull,
  "full: embedded": ({ ground }) => Embedded.deal(ground),
  "full: node": ({ ground, tunnels }) => FullNode.deal(ground, tunnels)
}

/** Deals one fault and waits until everything goes on; answers what it was, in words. */
export const deal = async (fault: Fault, scene: Scene): Promise<string> => {
  const what = await deals[fault](scene)
  return `${what}; all goes on after ${await recovered(scene)} ms`
}
