/**
 * Several servers on one database, a balancer in front, and what the load is about: nodes that report without a data
 * plane, people, and one subscription whose window ends every second, so that turning it shows that the jobs run.
 */
import { randomBytes } from "node:crypto"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Api from "../Api.ts"
import * as Arena from "../Arena.ts"
import type * as Database from "../Database.ts"
import * as Expect from "../Expect.ts"
import * as Server from "../Server.ts"
import { together } from "../Together.ts"
import * as Balancer from "./Balancer.ts"
import type * as Batches from "./Batches.ts"
import * as Cable from "./Cable.ts"

export interface Replica {
  readonly server: Server.Server
  readonly cable: Cable.Cable
}

export interface Holder {
  readonly id: string
  readonly term: number
  /** The replica that says it took the lease. */
  readonly replica: Replica
}

export interface Cluster {
  readonly directory: string
  readonly database: Database.Database
  readonly replicas: ReadonlyArray<Replica>
  readonly balancer: Balancer.Balancer
  /** Through the balancer. */
  readonly api: Api.Api
  readonly token: string
  readonly owner: string
  readonly inboundIds: ReadonlyArray<string>
  readonly senders: ReadonlyArray<Batches.Sender>
  /** Subscriptions by the number of their credential. */
  readonly people: ReadonlyMap<number, string>
  /** Who holds the lease of the jobs now; undefined when nobody does. */
  readonly holder: () => Promise<Holder | undefined>
  /** The start of the window that only the jobs turn, milliseconds. */
  readonly turned: () => Promise<number>
  readonly close: (keep: boolean) => Promise<void>
}

export interface Options {
  readonly count: number
  readonly main?: string
  readonly env?: Readonly<Record<string, string>>
  readonly database: Database.Database
  /** How the servers reach the database; by default straight. */
  readonly url?: string
}

const nodes = 4
const people = 30
const username = "root"

/** Opens a cluster: every server ready. The database is the caller's. */
export const open = async (options: Options): Promise<Cluster> => {
  const { count, database, env = {}, main = Arena.cliMain, url = database.url } = options
  const directory = await mkdtemp(join(tmpdir(), "vpnmgr-proof-"))
  const encryptionKey = randomBytes(32).toString("base64")
  const settings = { VPNMGR_REQUESTS_PER_SECOND: "100000", VPNMGR_GRAIN: "1s", ...env }
  const replicas = await together(Array.from({ length: count }), 1, async (_, index): Promise<Replica> => {
    const cable = await Cable.lay(url)
    const of = { main, databaseUrl: cable.url, encryptionKey, directory, name: `replica-${index + 1}`, env: settings }
    return { cable, server: await Server.make(of) }
  })
  const balancer = await Balancer.start(
    replicas.map(({ server }) => Number(new URL(server.url).port)),
    { asks: true }
  )
  const close = async (keep: boolean) => {
    balancer.close()
    for (const { cable, server } of replicas) {
      cable.mend()
      const running = server.process()
      if (running?.isRunning() === true) process.kill(running.pid, "SIGCONT")
      await server.stop()
      cable.end()
    }
    if (!keep) await rm(directory, { recursive: true, force: true })
  }

  try {
    const [first, ...others] = replicas.map(({ server }) => server)
    await first!.start()
    const password = randomBytes(15).toString("base64url")
    const secret = await first!.setupSecret()
    await Api.make(first!.url).request("POST", "/setup", { secret, username, password })
    await Promise.all(others.map((server) => server.start()))
    const api = Api.make(balancer.url)
    await api.signIn(username, password)
    const { token } = await api.request<{ readonly token: string }>("POST", "/session", { username, password })
    const senders: Array<Batches.Sender> = []
    const inboundIds: Array<string> = []
    for (let index = 0; index < nodes; index++) {
      const node = await api.createNode(`node ${index}`)
      const { key } = await api.createToken(node.id)
      const settings = { protocol: "shadowsocks" }
      const inbound = await api.createInbound({ node_id: node.id, host: "node.test", port: 8388, settings })
      const [ref] = await database.query(`SELECT ref FROM vpnmgr.inbound WHERE id = '${inbound.id}'`)
      inboundIds.push(inbound.id)
      senders.push({ key, inbound: Number(ref) })
    }
    const account = { username: "reseller", password: randomBytes(15).toString("base64url"), role: "operator" }
    const owner = await api.request<{ readonly id: string }>("POST", "/users", { ...account, group_ids: [] })
    await together(Array.from({ length: people }), 4, (_, index) =>
      api.request("POST", "/subscriptions", { title: `person ${index}`, owner_id: owner.id, inbound_ids: inboundIds })
    )
    const rows = await database.query(
      "SELECT ref, subscription_id FROM vpnmgr.credential WHERE subscription_id IS NOT NULL"
    )
    const clock = await api.create({ title: "clock", max_traffic: 1, traffic_reset_period: "PT1S" })

    const holder = async (): Promise<Holder | undefined> => {
      const [row] = await database.query("SELECT holder, term FROM vpnmgr.lease WHERE name = 'jobs' AND until > now()")
      if (row === undefined) return undefined
      const [id, term] = row.split("|") as [string, string]
      for (const replica of replicas)
        if ((await readFile(replica.server.log, "utf8")).includes(id)) return { id, term: Number(term), replica }
      return undefined
    }
    const turned = async () => {
      const [at] = await database.query(
        `SELECT (extract(epoch FROM window_start) * 1000)::bigint FROM vpnmgr.bucket WHERE id = '${clock.id}'`
      )
      return Number(Expect.present("the window of the clock", at))
    }
    const ofRef = rows.map((row) => row.split("|") as [string, string])
    return {
      directory,
      database,
      replicas,
      balancer,
      api,
      token,
      owner: owner.id,
      inboundIds,
      senders,
      people: new Map(ofRef.map(([ref, id]) => [Number(ref), id])),
      holder,
      turned,
      close
    }
  } catch (cause) {
    await close(true).catch(() => undefined)
    throw new Error(`the cluster did not open (logs: ${directory}): ${String(cause)}`, { cause })
  }
}
