/**
 * A person's sing-box, run on the config that `/s/{link}` answers. Two things are changed in it and nothing else: a local
 * SOCKS port in place of the tun device, and the choice among its outbounds made once, by protocol and server.
 */
import { randomBytes } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { get } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Flow from "./Flow.ts"
import * as Namespace from "./Namespace.ts"
import type { Origin } from "./Origin.ts"
import * as Process from "./Process.ts"
import { Unexpected } from "./Report.ts"

export const protocols = ["vless", "shadowsocks", "hysteria2"] as const
export type Protocol = (typeof protocols)[number]

type Outbound = Record<string, unknown> & { readonly type: string; readonly tag: string }

/** A client's config, as far as it is looked at here. */
export interface Config {
  readonly inbounds: ReadonlyArray<unknown>
  readonly outbounds: ReadonlyArray<Outbound>
  readonly route: Record<string, unknown> & { readonly final: string }
}

/** What `/s/{link}` answered. */
export interface Delivery {
  readonly status: number
  readonly headers: Readonly<Record<string, string | Array<string> | undefined>>
  readonly body: string
  /** Only when the status is 200. */
  readonly config: Config | undefined
}

/** Fetches a config as a client does, from the client's address. */
export const fetchConfig = (url: string): Promise<Delivery> =>
  new Promise((resolve, reject) => {
    const request = get(url, { localAddress: Namespace.clientAddress, timeout: 10_000 }, (response) => {
      const parts: Array<Buffer> = []
      response.on("data", (part: Buffer) => parts.push(part))
      response.on("end", () => {
        const body = Buffer.concat(parts).toString("utf8")
        const status = response.statusCode ?? 0
        const config = status === 200 ? (JSON.parse(body) as Config) : undefined
        resolve({ status, headers: response.headers, body, config })
      })
    })
    request.on("timeout", () => request.destroy(new Error("the config is not answered")))
    request.on("error", reject)
  })

/** The outbound of a protocol, to a server when one is named. */
export const outboundOf = (config: Config, protocol: Protocol, server?: string): Outbound | undefined =>
  config.outbounds.find((way) => way.type === protocol && (server === undefined || way["server"] === server))

/** What a client signs in with: the uuid or password of its own, without the server's part. */
export const secretOf = (way: Outbound): string =>
  String(way["uuid"] ?? way["password"])
    .split(":")
    .at(-1) ?? ""

/** The config of somebody who signs in with another secret at the same inbounds. */
export const withSecret = (config: Config, protocol: Protocol, secret: string): Config => ({
  ...config,
  outbounds: config.outbounds.map((way) => {
    if (way.type !== protocol) return way
    if (protocol === "vless") return { ...way, uuid: secret }
    const [serverKey, own] = String(way["password"]).split(":")
    return { ...way, password: own === undefined ? secret : `${serverKey}:${secret}` }
  })
})

export interface Options {
  readonly binary: string
  readonly config: Config
  readonly protocol: Protocol
  /** The node's address; by default the first outbound of the protocol. */
  readonly server?: string
  /** Where its config and its log go. */
  readonly directory: string
  readonly origin: Origin
}

export interface Client {
  readonly protocol: Protocol
  /** The secret it signs in with. */
  readonly secret: string
  readonly pid: number
  readonly log: string
  /** Makes one request to the origin. */
  readonly open: (request: Flow.Request) => Flow.Flow
  /** Makes a request that must be let in, and answers it with its first byte; see `begin`. */
  readonly begin: (request: Flow.Request) => Promise<Flow.Flow>
  /** One small request: true when it came back whole. */
  readonly passes: (timeout?: number) => Promise<boolean>
  readonly close: () => Promise<void>
}

const answers = async (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(port, "127.0.0.1")
    probe.once("connect", () => {
      probe.destroy()
      resolve(true)
    })
    probe.once("error", () => resolve(false))
  })

/** How often what sing-box itself drops is asked for again. */
const tries = 5

/**
 * Makes a request that must be let in, and answers it once its first byte is there. Shadowsocks of sing-box itself now
 * and then ends a connection that the origin has answered already ("bad request salt", some 2 of 1,000 on 1.14.1): that
 * is asked for again. One that never reached the origin was refused, and fails.
 */
export const begin = async (
  open: (request: Flow.Request) => Flow.Flow,
  origin: Origin,
  request: Flow.Request
): Promise<Flow.Flow> => {
  for (let left = tries; ; left--) {
    const flow = open(request)
    while (flow.isOpen && flow.firstByteAt === undefined) await sleep(5)
    if (flow.firstByteAt !== undefined) return flow
    const seen = origin.count(flow.token).connections
    if (seen === 0 || left === 1) throw new Unexpected(`a ${request.direction}load was refused; the origin saw ${seen}`)
  }
}

/** The config as it is run: the tun inbound swapped, the choice made. */
export const localConfig = (
  { config, protocol, server }: Pick<Options, "config" | "protocol" | "server">,
  port: number
) => {
  const chosen = outboundOf(config, protocol, server)
  if (chosen === undefined) throw new Error(`the config has no ${protocol} outbound to ${server ?? "any node"}`)
  const isChoice = (way: Outbound) => way.type === "selector" && way.tag === config.route.final
  return {
    chosen,
    config: {
      ...config,
      inbounds: [{ type: "mixed", tag: "local", listen: "127.0.0.1", listen_port: port }],
      outbounds: config.outbounds.map((way) => (isChoice(way) ? { ...way, default: chosen.tag } : way))
    }
  }
}

/** Starts a client and waits until its SOCKS port answers. */
export const start = async (options: Options): Promise<Client> => {
  const { binary, directory, origin, protocol } = options
  const port = Namespace.freePort()
  const { chosen, config } = localConfig(options, port)
  const home = join(directory, `${protocol}-${randomBytes(4).toString("hex")}`)
  await mkdir(home, { recursive: true })
  await writeFile(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 })
  const program = await Process.start({
    command: binary,
    args: ["run", "-D", home, "-c", join(home, "config.json"), "--disable-color"],
    log: join(home, "sing-box.log")
  })
  for (const until = Date.now() + 20_000; !(await answers(port));) {
    if (!program.isRunning() || Date.now() > until) throw new Error(`the client did not start:\n${program.output()}`)
    await sleep(10)
  }
  const open = (request: Flow.Request) => Flow.open(port, origin, request)
  return {
    protocol,
    secret: secretOf(chosen),
    pid: program.pid,
    log: program.log,
    open,
    begin: (request) => begin(open, origin, request),
    passes: async (timeout = 3000) => {
      const ask = async () => {
        const flow = open({ direction: "down", bytes: 1, timeout })
        return { ending: await flow.end, seen: origin.count(flow.token).connections }
      }
      const first = await ask()
      return (first.ending === "refused" && first.seen > 0 ? await ask() : first).ending === "whole"
    },
    close: async () => void (await program.end("SIGKILL"))
  }
}
