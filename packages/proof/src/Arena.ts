/**
 * Everything a run needs, in one namespace: PostgreSQL, a server, an origin, the foreign TLS server, and nodes with one
 * inbound per protocol. It proves nothing by itself; the runs do.
 */
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Api from "./Api.ts"
import * as Client from "./Client.ts"
import * as Database from "./Database.ts"
import * as Expect from "./Expect.ts"
import * as Foreign from "./Foreign.ts"
import * as Namespace from "./Namespace.ts"
import * as Node from "./Node.ts"
import * as Origin from "./Origin.ts"
import * as Server from "./Server.ts"
import * as SingBox from "./SingBox.ts"

export interface Options {
  readonly singBox: string
  readonly nodes?: 1 | 2 | 3
  /** Further settings of the server and of the agents; read anew at each start. */
  readonly serverEnv?: Readonly<Record<string, string>>
  readonly agentEnv?: Readonly<Record<string, string>>
  /** The program's main file; by default the built one of `@vpnmgr/cli`. */
  readonly main?: string
  /** Names of further servers on the same database, started with the first. */
  readonly replicas?: ReadonlyArray<string>
  /** What agents talk to, given the servers' addresses; by default the first server. */
  readonly through?: (urls: ReadonlyArray<string>) => Promise<string>
}

export interface Arena {
  /** Where every log and file of the run is. */
  readonly directory: string
  readonly binary: string
  readonly database: Database.Database
  readonly server: Server.Server
  readonly replicas: ReadonlyArray<Server.Server>
  readonly api: Api.Api
  readonly password: string
  readonly encryptionKey: string
  /** What servers are started with, for another one. */
  readonly main: string
  readonly serverEnv: Readonly<Record<string, string>>
  readonly origin: Origin.Origin
  readonly nodes: ReadonlyArray<Node.Node>
  /** The inbounds of the nodes with these indices (all by default), of these protocols (all by default). */
  readonly inbounds: (which?: {
    readonly nodes?: ReadonlyArray<number>
    readonly protocols?: ReadonlyArray<Client.Protocol>
  }) => ReadonlyArray<string>
  readonly fetchConfig: (subscription: Pick<Api.Subscription, "config_path">) => Promise<Client.Delivery>
  /** Fetches the config and starts a client on it; or starts one on the config given. */
  readonly client: (
    of: Pick<Api.Subscription, "config_path"> | Client.Config,
    protocol: Client.Protocol,
    node?: number
  ) => Promise<Client.Client>
  /** Waits until every node says that it serves the subscription's newest change; answers the milliseconds. */
  readonly converged: (id: string, timeout?: number) => Promise<number>
  /** Ends everything. The files stay when asked, for whoever looks for what went wrong. */
  readonly close: (keep: boolean) => Promise<void>
}

/** The built command line. */
export const cliMain = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url))

/** The command line's test build, in which a rule can be broken. */
export const testMain = fileURLToPath(new URL("../../cli/dist-test/main.js", import.meta.url))

const username = "root"

const settingsOf = (protocol: Client.Protocol, foreign: Foreign.Foreign) => {
  switch (protocol) {
    case "vless":
      return {
        protocol,
        server_name: Foreign.serverName,
        handshake_host: foreign.host,
        handshake_port: foreign.port
      }
    case "shadowsocks":
      return { protocol }
    case "hysteria2":
      return { protocol, server_name: "node.test" }
  }
}

/** Opens an arena: ready when every node serves every inbound. */
export const open = async (options: Options): Promise<Arena> => {
  const { agentEnv, main = cliMain, nodes: count = 2, serverEnv, singBox } = options
  const directory = await mkdtemp(join(tmpdir(), "vpnmgr-proof-"))
  const binary = SingBox.path(singBox)
  const [database, origin, foreign] = await Promise.all([Database.start(), Origin.start(), Foreign.start(binary)])
  const encryptionKey = randomBytes(32).toString("base64")
  const shared = {
    main,
    directory,
    databaseUrl: database.url,
    encryptionKey,
    env: serverEnv ?? {}
  }
  const server = await Server.make(shared)
  const replicas = await Promise.all((options.replicas ?? []).map((name) => Server.make({ ...shared, name })))
  const agentUrl = (await options.through?.([server, ...replicas].map(({ url }) => url))) ?? server.url
  const api = Api.make(server.url)
  const password = randomBytes(15).toString("base64url")
  const nodes: Array<Node.Node> = []
  const clients: Array<Client.Client> = []
  const placed: Array<{ readonly id: string; readonly node: number; readonly protocol: Client.Protocol }> = []

  const close = async (keep: boolean) => {
    await Promise.all(clients.map((client) => client.close()))
    await Promise.all(nodes.map((node) => node.close()))
    await Promise.all([server, ...replicas].map((each) => each.stop()))
    await database.close()
    origin.close()
    foreign.close()
    if (!keep) await rm(directory, { recursive: true, force: true })
  }

  const addNode = async (index: number) => {
    const address = Namespace.nodeAddresses[index]!
    const { id } = await api.createNode(`node ${index + 1}`)
    const { key } = await api.createToken(id)
    for (const protocol of Client.protocols) {
      const inbound = await api.createInbound({
        node_id: id,
        host: address,
        listen: address,
        port: Namespace.freePort(),
        purpose: `n${index + 1}`,
        settings: settingsOf(protocol, foreign)
      })
      placed.push({ id: inbound.id, node: index, protocol })
    }
    const name = `node-${index + 1}`
    const of = { name, id, address, key, binary, main, url: agentUrl, directory: join(directory, name) }
    nodes.push(await Node.start({ ...of, env: agentEnv ?? {} }))
  }

  const ready = async () => {
    await server.start()
    const secret = await server.setupSecret()
    await api.request("POST", "/setup", { secret, username, password })
    await api.signIn(username, password)
    for (const replica of replicas) await replica.start()
    for (let index = 0; index < count; index++) await addNode(index)
    const servable = async () => (await api.inbounds()).filter((inbound) => inbound.is_servable).length
    let seen = 0
    await Expect.soon(
      "every inbound is servable",
      60_000,
      async () => ((seen = await servable()) === placed.length ? true : undefined),
      () => `${seen} of ${placed.length}`,
      100
    )
  }

  try {
    await ready()
  } catch (cause) {
    await close(true).catch(() => undefined)
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the arena did not open (logs: ${directory}): ${why}`, { cause })
  }

  const fetchConfig: Arena["fetchConfig"] = ({ config_path }) => Client.fetchConfig(`${server.url}${config_path}`)
  return {
    directory,
    binary,
    database,
    server,
    replicas,
    api,
    password,
    encryptionKey,
    main,
    serverEnv: serverEnv ?? {},
    origin,
    nodes,
    inbounds: (which = {}) =>
      placed
        .filter(({ node }) => which.nodes?.includes(node) ?? true)
        .filter(({ protocol }) => which.protocols?.includes(protocol) ?? true)
        .map(({ id }) => id),
    fetchConfig,
    client: async (of, protocol, node = 0) => {
      const config = "outbounds" in of ? of : Expect.present("a config", (await fetchConfig(of)).config)
      const home = join(directory, "clients")
      const server = Namespace.nodeAddresses[node]!
      const client = await Client.start({ binary, config, protocol, server, directory: home, origin })
      clients.push(client)
      return client
    },
    converged: async (id, timeout = 20_000) => {
      let pending: ReadonlyArray<string> = []
      const [, took] = await Expect.timed(() =>
        Expect.soon(
          "every node serves the newest change",
          timeout,
          async () => ((pending = (await api.get(id)).pending_node_ids).length === 0 ? true : undefined),
          () => `pending: ${pending.join(", ")}`,
          50
        )
      )
      return took
    },
    close
  }
}
