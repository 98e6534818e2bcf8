/** A server with a number of subscriptions on a database of its own: two nodes, five inbounds, ten operators. */
import { randomBytes } from "node:crypto"
import { Api, Arena, Server, type Postgres } from "@vpnmgr/proof"
import type { Job } from "./Job.ts"
import * as Load from "./Load.ts"
import * as Seed from "./Seed.ts"
import * as Sql from "./Sql.ts"

/** Inbounds of each subscription: what peers were measured with. */
export const inboundsEach = 5

export interface Site {
  readonly subscriptions: number
  readonly server: Server.Server
  /** Base64, as the server was given it. */
  readonly encryptionKey: string
  readonly sql: Sql.Sql
  /** The API, signed in as the superuser. */
  readonly api: Api.Api
  /** The first of ten operators, each of whom owns a tenth of the subscriptions: number `n` if `n` % 10 is 0. */
  readonly operator: { readonly id: string; readonly username: string; readonly password: string }
  /** The key of the node that has three of the inbounds, and the refs of these. */
  readonly node: {
    readonly id: string
    readonly tokenId: string
    readonly key: string
    readonly inbounds: ReadonlyArray<number>
  }
  /** A config, as every seeded subscription's: they have one size. */
  readonly config: string
  /** The processes whose CPU a request costs. */
  readonly behind: () => Load.Behind
  /** Load on `/s` of this site, answers checked as whole configs unless told otherwise. */
  readonly fetch: (job: Partial<Job> & Pick<Job, "seconds" | "connections">) => Promise<Load.Measured>
  /** How many configs the server has answered from its cache since it started. */
  readonly cacheHits: () => Promise<number>
}

export interface Options {
  readonly postgres: Postgres.Postgres
  readonly directory: string
  readonly subscriptions: number
  readonly note: (text: string) => void
  /** Names its logs; by default after its subscriptions. */
  readonly name?: string
}

const username = "root"
const operators = 10
const days = 86_400_000

const settings = [
  { protocol: "vless", server_name: "www.example.org", handshake_host: "www.example.org", handshake_port: 443 },
  { protocol: "shadowsocks" },
  { protocol: "shadowsocks" }
]

/** Makes what a subscription needs through the API, and one subscription. */
const furnish = async (api: Api.Api) => {
  const nodes = await Promise.all([api.createNode("first"), api.createNode("second")])
  const tokens = await Promise.all(nodes.map(({ id }) => api.createToken(id)))
  const inbounds: Array<Api.Inbound> = []
  for (let index = 0; index < inboundsEach; index++) {
    const draft = { host: `198.51.100.${index + 1}`, listen: "::", port: 20_000 + index, settings: settings[index % 3] }
    inbounds.push(await api.createInbound({ node_id: nodes[index % 2]!.id, ...draft }))
  }
  const group = await api.request<{ readonly id: string }>("POST", "/groups", {
    name: "resellers",
    max_traffic: 1e15,
    max_speed: null,
    traffic_reset_period: "P1M"
  })
  const owners: Array<Site["operator"]> = []
  for (let index = 0; index < operators; index++) {
    const operator = { username: `operator${index}`, password: randomBytes(12).toString("hex") }
    const draft = { ...operator, role: "operator", group_ids: [group.id] }
    const { id } = await api.request<{ readonly id: string }>("POST", "/users", draft)
    owners.push({ id, ...operator })
  }
  const template = await api.request<Api.Subscription>("POST", "/subscriptions", {
    title: Seed.titleOf(0),
    owner_id: owners[0]!.id,
    max_traffic: 1e12,
    traffic_reset_period: "P1M",
    expires_at: new Date(Date.now() + 365 * days).toISOString(),
    inbound_ids: inbounds.map(({ id }) => id)
  })
  return { node: { id: nodes[0]!.id, tokenId: tokens[0]!.id, key: tokens[0]!.key }, owners, template }
}

/** Opens a site: seeded, its server ready. */
export const open = async ({ directory, name, note, postgres, subscriptions }: Options): Promise<Site> => {
  const url = await postgres.createDatabase()
  const encryptionKey = randomBytes(32).toString("base64")
  const sql = Sql.make(url)
  const server = await Server.make({
    main: Arena.cliMain,
    databaseUrl: url,
    encryptionKey,
    directory,
    name: name ?? `server-${subscriptions}`
  })
  await server.start()
  const api = Api.make(server.url)
  const password = randomBytes(15).toString("base64url")
  await api.request("POST", "/setup", { secret: await server.setupSecret(), username, password })
  await api.signIn(username, password)
  const { node, owners, template } = await furnish(api)
  await server.stop()
  const ids = owners.map(({ id }) => id)
  note(await Seed.seed({ sql, encryptionKey, template: template.id, owners: ids, count: subscriptions }))
  await server.start()

  const response = await fetch(`${server.url}/s/${Seed.idOf(1)}`)
  const config = await response.text()
  if (response.status !== 200) throw new Error(`a seeded subscription was answered ${response.status}: ${config}`)
  const refs = await sql.run(`SELECT ref FROM inbound WHERE node_id = '${node.id}' ORDER BY ref`)
  const behind = () => ({ server: server.process()!.pid, postgres: postgres.pid() ?? null })
  return {
    subscriptions,
    server,
    api,
    encryptionKey,
    sql,
    operator: owners[0]!,
    node: { ...node, inbounds: refs.map(Number) },
    config,
    behind,
    fetch: (job) =>
      Load.run(
        {
          url: server.url,
          links: { kind: "seeded", count: subscriptions, start: Math.floor(Math.random() * subscriptions) },
          headers: {},
          rate: null,
          expect: { status: 200, length: config.length, proxies: inboundsEach },
          ...job
        },
        behind()
      ),
    cacheHits: async () => {
      const metrics = await (await fetch(`${server.url}/metrics`)).text()
      return Number(/^\S*config_cache_hits_total\S* (\S+)/m.exec(metrics)?.[1] ?? 0)
    }
  }
}
