/**
 * A node of a site with everything real: the agent, sing-box, an origin behind it, and people who use it by sing-box
 * clients of their own. Beside it a node on paper, whose agent is whoever calls `report`.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Api, Arena, Client, Expect, Foreign, Namespace, Node, Origin, SingBox } from "@vpnmgr/proof"
import * as Posted from "./Posted.ts"
import type { Site } from "./Site.ts"

/** Somebody with a subscription that both nodes serve, and a client on the real one. */
export interface Person {
  readonly id: string
  readonly credential: number
  readonly client: Client.Client
}

export interface RealNode {
  readonly origin: Origin.Origin
  /** With limits, as many as were asked for; and one without. */
  readonly people: ReadonlyArray<Person>
  readonly neighbour: Person
  /** Waits until the real node says that it serves the newest change of a subscription. */
  readonly serves: (id: string) => Promise<unknown>
  /** Posts what the node on paper has counted. */
  readonly report: Posted.Report
  readonly close: () => Promise<void>
}

export interface Options {
  readonly people: number
  readonly maxTraffic: number
}

const protocol = "vless"

/** Opens it on a site. What it made is gone again when it is closed. */
export const open = async (site: Site, { maxTraffic, people: count }: Options): Promise<RealNode> => {
  const { api, server, sql } = site
  const version = "1.14.1"
  const missing = SingBox.missing(version)
  if (missing !== undefined) throw new Error(missing)
  const binary = SingBox.path(version)
  const directory = await mkdtemp(join(tmpdir(), "vpnmgr-bench-node-"))
  const [origin, foreign] = await Promise.all([Origin.start(), Foreign.start(binary)])
  const address = Namespace.nodeAddresses[0]
  const closing: Array<() => Promise<unknown>> = [
    () => rm(directory, { recursive: true, force: true }),
    async () => (origin.close(), foreign.close())
  ]

  const addNode = async (name: string, settings: Record<string, unknown>) => {
    const { id } = await api.createNode(name)
    closing.push(() => api.request("DELETE", `/nodes/${id}`))
    const { key } = await api.createToken(id)
    const place = { host: address, listen: address, port: Namespace.freePort() }
    const inbound = await api.createInbound({ node_id: id, ...place, settings })
    closing.push(() => api.request("DELETE", `/inbounds/${inbound.id}`))
    return { id, key, inbound: inbound.id }
  }

  const close = async () => {
    for (const end of closing.toReversed()) await end()
  }

  const fill = async () => {
    const handshake = { server_name: Foreign.serverName, handshake_host: foreign.host, handshake_port: foreign.port }
    const real = await addNode("real", { protocol, ...handshake })
    const paper = await addNode("paper", { protocol: "shadowsocks" })
    const inbound_ids = [real.inbound, paper.inbound]
    const made: Array<Api.Subscription> = []
    for (let index = 0; index <= count; index++) {
      const max_traffic = index === 0 ? null : maxTraffic
      const one = await api.create({ title: `cut ${index}`, max_traffic, inbound_ids })
      made.push(one)
      closing.push(() => api.remove(one.id))
    }
    const node = await Node.start({
      name: "real",
      id: real.id,
      address,
      key: real.key,
      url: server.url,
      binary,
      main: Arena.cliMain,
      directory: join(directory, "real")
    })
    closing.push(() => node.close())
    const serves = (id: string) =>
      Expect.soon(
        "the node serves the newest change",
        60_000,
        async () => ((await api.get(id)).pending_node_ids.includes(real.id) ? undefined : true),
        () => id,
        20
      )
    const people: Array<Person> = []
    for (const { config_path, id } of made) {
      await serves(id)
      const { config } = await Client.fetchConfig(`${server.url}${config_path}`)
      const given = { binary, config: Expect.present("a config", config), protocol, server: address } as const
      const client = await Client.start({ ...given, directory: join(directory, "clients"), origin })
      closing.push(() => client.close())
      const [credential] = await sql.run(`SELECT credential FROM subscription WHERE id = '${id}'`)
      people.push({ id, credential: Number(credential), client })
    }
    const [inbound] = await sql.run(`SELECT ref FROM inbound WHERE id = '${paper.inbound}'`)
    return { serves, people, report: Posted.make(server.url, paper.key, Number(inbound)) }
  }

  try {
    const { people, report, serves } = await fill()
    return { origin, neighbour: people[0]!, people: people.slice(1), serves, report, close }
  } catch (cause) {
    await close().catch(() => undefined)
    throw cause
  }
}
