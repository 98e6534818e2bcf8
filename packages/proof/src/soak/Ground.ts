/**
 * What the soak stands on: PostgreSQL, servers and a real node, each on small disks of its own, with a way between every
 * two that talk which can be cut; simulated nodes, and somebody who signs in.
 */
import { randomBytes } from "node:crypto"
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Api from "../Api.ts"
import * as Database from "../Database.ts"
import * as Expect from "../Expect.ts"
import * as Namespace from "../Namespace.ts"
import * as Node from "../Node.ts"
import * as Origin from "../Origin.ts"
import * as Postgres from "../Postgres.ts"
import * as Balancer from "../replicas/Balancer.ts"
import * as Server from "../Server.ts"
import * as SingBox from "../SingBox.ts"
import { together } from "../Together.ts"
import * as Disk from "./Disk.ts"

export interface Options {
  readonly singBox: string
  readonly main: string
  readonly servers: number
  /** Simulated nodes. */
  readonly nodes: number
  /** Credentials in stock, so that no node needs another run. */
  readonly spares: number
  readonly serverEnv: Readonly<Record<string, string>>
}

/** A span of the machine's time in which a clock was wrong by so many milliseconds. */
export interface Wrong {
  readonly from: number
  readonly until: number
  readonly by: number
}

/** The clocks of programs, moved by a file each. */
export interface Clock {
  /** Moves it to so many milliseconds beside the machine's, and back after a while. */
  readonly move: (milliseconds: number, during: number) => Promise<void>
  /** When it was wrong. */
  readonly wrong: () => ReadonlyArray<Wrong>
}

export interface Person {
  readonly id: string
  readonly headers: Record<string, string>
  /** Signs in again. */
  readonly renew: () => Promise<void>
}

/** A node without a sing-box: its key, and its inbound. */
export interface Simulated {
  readonly id: string
  readonly key: string
  readonly inboundId: string
}

export interface Ground {
  readonly directory: string
  /** The program's main file. */
  readonly main: string
  readonly binary: string
  readonly disks: Readonly<Record<"tables" | "log" | "server" | "node", Disk.Disk>>
  readonly database: Database.Database
  readonly servers: ReadonlyArray<Server.Server>
  readonly ways: Readonly<Record<"database" | "agents" | "people", Balancer.Balancer>>
  readonly clocks: Readonly<Record<"server" | "node", Clock>>
  readonly origin: Origin.Origin
  /** The API of the first server, for what the run itself must know. */
  readonly api: Api.Api
  readonly person: Person
  readonly node: Node.Node
  /** The real node's inbounds, by protocol. */
  readonly inbounds: Readonly<Record<"shadowsocks" | "hysteria2", string>>
  readonly simulated: ReadonlyArray<Simulated>
  /** The key of a node that has nothing and nobody. */
  readonly strangerKey: string
  readonly close: (keep: boolean) => Promise<void>
}

const username = "root"
const portOf = (url: string) => Number(new URL(url).port)

const settingsOf = (protocol: "shadowsocks" | "hysteria2") =>
  protocol === "shadowsocks" ? { protocol } : { protocol, server_name: "node.test" }

const signIn = async (url: string, password: string): Promise<Person> => {
  const headers: Record<string, string> = {}
  const open = async () => {
    const response = await fetch(`${url}/api/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username, password })
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`signing in: ${response.status} ${text}`)
    return JSON.parse(text) as { readonly token: string; readonly user: { readonly id: string } }
  }
  const renew = async () => void (headers["authorization"] = `Bearer ${(await open()).token}`)
  const { token, user } = await open()
  headers["authorization"] = `Bearer ${token}`
  return { id: user.id, headers, renew }
}

const clockProgram = fileURLToPath(new URL("./clock.ts", import.meta.url))

/** Until a program has seen that its clock was put back, and has answered what it was asked before, milliseconds. */
const settled = 5000

/** A clock in a file of this name, and the environment in which a program goes by it. */
const makeClock = async (directory: string, name: string) => {
  const file = join(directory, `${name}.clock`)
  const wrong: Array<Wrong> = []
  const move = async (by: number, during: number) => {
    const from = Date.now()
    await writeFile(file, String(by))
    await sleep(during)
    await writeFile(file, "0")
    wrong.push({ from, until: Date.now() + settled, by })
  }
  await writeFile(file, "0")
  return { move, wrong: () => wrong, env: { NODE_OPTIONS: `--import=${clockProgram}`, SOAK_CLOCK: file } }
}

const mountAll = async (directory: string): Promise<Ground["disks"]> => {
  const user = Postgres.serverUser()
  const owner = user.uid === undefined ? undefined : user
  const mount = (name: string, megabytes: number, whose?: typeof owner) =>
    Disk.mount({ directory: join(directory, name), megabytes, owner: whose })
  return {
    tables: await mount("tables", 512, owner),
    log: await mount("log", 96, owner),
    server: await mount("server", 64),
    node: await mount("node", 64)
  }
}

/** Opens the ground: ready when the real node serves its inbounds. */
export const open = async (options: Options): Promise<Ground> => {
  const { main, serverEnv, singBox } = options
  const directory = await mkdtemp(join(tmpdir(), "vpnmgr-soak-"))
  await chmod(directory, 0o711)
  const binary = SingBox.path(singBox)
  const disks = await mountAll(directory)
  const database = await Database.start({
    disks: { data: disks.tables.directory, log: disks.log.directory },
    settings: { max_wal_size: "16MB", min_wal_size: "2MB", checkpoint_timeout: "30s" }
  })
  const origin = await Origin.start()
  const address = new URL(database.url)
  const databaseWay = await Balancer.start([Number(address.port)])
  address.port = String(portOf(databaseWay.url))
  const encryptionKey = randomBytes(32).toString("base64")
  const env = { VPNMGR_SPARES_MINIMUM: String(options.spares), ...serverEnv }
  const clocks = { server: await makeClock(directory, "server"), node: await makeClock(directory, "node") }
  const names = Array.from({ length: options.servers }, (_, index) => `server-${index + 1}`)
  const servers = await Promise.all(
    names.map((name, index) =>
      Server.make({
        main,
        name,
        encryptionKey,
        databaseUrl: address.href,
        directory: disks.server.directory,
        env: index === 0 ? env : { ...env, ...clocks.server.env }
      })
    )
  )
  const ports = servers.map(({ url }) => portOf(url))
  const ways = { database: databaseWay, agents: await Balancer.start(ports), people: await Balancer.start(ports) }
  const [first] = servers as [Server.Server]
  const api = Api.make(first.url)
  const password = randomBytes(15).toString("base64url")
  let node: Node.Node | undefined

  const close = async (keep: boolean) => {
    await node?.close()
    await Promise.all(servers.map((server) => server.stop()))
    for (const way of Object.values(ways)) way.close()
    origin.close()
    if (keep) await keepLogs()
    await database.close()
    for (const disk of Object.values(disks)) await disk.unmount()
    if (!keep) await rm(directory, { recursive: true, force: true })
  }

  /** The small disks go with the namespace; the logs on them are copied to where they stay. */
  const keepLogs = async () => {
    const logs = join(directory, "logs")
    await mkdir(logs, { recursive: true })
    for (const [index, { log }] of servers.entries()) await cp(log, join(logs, `server-${index + 1}.log`))
    await cp(join(disks.node.directory, "agent.log"), join(logs, "agent.log")).catch(() => undefined)
    await cp(join(database.postgres.directory, "server.log"), join(logs, "postgres.log"))
  }

  const simulate = async (index: number): Promise<Simulated> => {
    const { id } = await api.createNode(`simulated ${index + 1}`)
    const { key } = await api.createToken(id)
    const host = `node-${index + 1}.test`
    const inbound = await api.createInbound({
      node_id: id,
      host,
      listen: "0.0.0.0",
      port: 8388,
      settings: { protocol: "shadowsocks" }
    })
    return { id, key, inboundId: inbound.id }
  }

  const addNode = async () => {
    const [address] = Namespace.nodeAddresses
    const { id } = await api.createNode("real")
    const { key } = await api.createToken(id)
    const add = async (protocol: "shadowsocks" | "hysteria2") => {
      const at = { node_id: id, host: address, listen: address, port: Namespace.freePort() }
      return (await api.createInbound({ ...at, settings: settingsOf(protocol) })).id
    }
    const inbounds = { shadowsocks: await add("shadowsocks"), hysteria2: await add("hysteria2") }
    const at = { name: "node", id, address, key, binary, main, url: ways.agents.url, directory: disks.node.directory }
    const env = { VPNMGR_READ_EVERY: "500ms", VPNMGR_REPORT_EVERY: "1s", ...clocks.node.env }
    node = await Node.start({ ...at, env })
    await Expect.soon(
      "the real node's inbounds are servable",
      60_000,
      async () =>
        (await api.inbounds()).filter(({ is_servable, node_id }) => is_servable && node_id === id).length === 2
          ? true
          : undefined,
      () => node!.agent()?.output().slice(-1000),
      100
    )
    return { node, inbounds }
  }

  try {
    await first.start()
    await api.request("POST", "/setup", { secret: await first.setupSecret(), username, password })
    await api.signIn(username, password)
    for (const server of servers.slice(1)) await server.start()
    const person = await signIn(ways.people.url, password)
    const simulated = await together(Array.from({ length: options.nodes }), 2, (_, index) => simulate(index))
    const stranger = await api.createNode("stranger")
    const { key: strangerKey } = await api.createToken(stranger.id)
    const real = await addNode()
    return {
      directory,
      main,
      binary,
      disks,
      database,
      servers,
      ways,
      clocks,
      origin,
      api,
      person,
      ...real,
      simulated,
      strangerKey,
      close
    }
  } catch (cause) {
    await close(true).catch(() => undefined)
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the ground did not open (logs: ${directory}): ${why}`, { cause })
  }
}
