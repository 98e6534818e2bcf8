/**
 * The config a node's sing-box runs with, from what the node must serve. Pure: the driver picks ports, secret and epoch.
 *
 * Built so that it fails closed: a user matched by no rule meets a block outbound, every (credential, inbound) pair has
 * a selector of its own that is blocked unless open, and what remains open after a crash is what this was rendered from.
 * Destinations are resolved and then refused when they are private or carrier-grade: without it any subscriber reaches
 * the node's own loopback. Rules see only the first packet of a UDP session, so sessions are bound to their first peer.
 */
import { Schema } from "effect"
import type { Access, CredentialRef } from "./Credential.ts"
import type { NodeInbound } from "./Inbound.ts"
import type { Serving } from "./Serving.ts"

/** The tag of the outbound that carries nothing. */
export const blockTag = "block"

/** The clash mode in which a node serves. */
export const servingMode = "serve"

/** The clash mode in which every new connection is refused: the node is about to end its run. */
export const drainMode = "drain"

/** Names a (credential, inbound) pair in users, selectors and counters: `c17.2`. */
export const pairName = (credential: CredentialRef, inbound: number): string => `c${credential}.${inbound}`

/** The outbound that a credential's traffic leaves by: `c17`. */
export const outboundTag = (credential: CredentialRef): string => `c${credential}`

/** The pair a name stands for; `undefined` for any other name. */
export const parsePair = (
  name: string
): { readonly credential: CredentialRef; readonly inbound: number } | undefined => {
  const match = /^c(\d{1,15})\.(\d{1,15})$/.exec(name)
  return match === null ? undefined : { credential: Number(match[1]), inbound: Number(match[2]) }
}

/** The tag of the unused outbound that names one run. */
export const epochTag = (epoch: string): string => `epoch-${epoch}`

/** Certificate and key files on the node. */
export interface TlsFiles {
  readonly certificatePath: string
  readonly keyPath: string
}

/** What the driver chooses for one run. */
export interface NodeOptions {
  /** The nonce that names the run. */
  readonly epoch: string
  /** Where the statistics are answered: `127.0.0.1:port`. They ask for no secret. */
  readonly stats: string
  /** Where the control API is answered: `127.0.0.1:port`. */
  readonly control: string
  /** What the control API asks for. */
  readonly secret: string
  /** The files of certificates that the agent made, by the inbound's `ref`. An inbound that lacks its own is left out. */
  readonly certificates: ReadonlyMap<number, TlsFiles>
  /**
   * Lets one UDP socket of a client speak to many peers. Rules see only the first packet of a UDP session, so whoever
   * is let through to one public address then reaches the node's own loopback and network over UDP, unless the node's
   * firewall stops it. False binds a session to its first peer, which costs peer-to-peer calls their direct path.
   */
  readonly manyPeerUdp: boolean
}

const Outbound = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("selector"),
    tag: Schema.String,
    outbounds: Schema.Array(Schema.String),
    default: Schema.String,
    interrupt_exist_connections: Schema.Boolean
  }),
  Schema.Struct({ type: Schema.Literals(["block", "direct"]), tag: Schema.String })
])

const Anything = Schema.Record(Schema.String, Schema.Json)

/** The server config, as far as it is read back: the selectors' defaults and the epoch can be rendered anew. */
export const ServerConfig = Schema.Struct({
  log: Anything,
  dns: Anything,
  inbounds: Schema.Array(Anything),
  outbounds: Schema.Array(Outbound),
  route: Anything,
  experimental: Schema.Struct({
    v2ray_api: Schema.Struct({ listen: Schema.String, stats: Anything }),
    clash_api: Schema.Struct({
      external_controller: Schema.String,
      secret: Schema.String,
      default_mode: Schema.String
    })
  })
})
export type ServerConfig = typeof ServerConfig.Type

type Json = Schema.Json
type User = { readonly [key: string]: Json }

const user = (name: string, access: Access): User => {
  switch (access.protocol) {
    case "vless":
      return { name, uuid: access.uuid, flow: "xtls-rprx-vision" }
    case "shadowsocks":
      return { name, password: access.key }
    case "hysteria2":
      return { name, password: access.password }
  }
}

const settings = (inbound: NodeInbound, tls: TlsFiles | undefined): User | undefined => {
  const own = inbound.settings
  switch (own.protocol) {
    case "vless":
      return {
        tls: {
          enabled: true,
          server_name: own.serverName,
          reality: {
            enabled: true,
            handshake: { server: own.handshakeHost, server_port: own.handshakePort },
            private_key: own.privateKey,
            short_id: [own.shortId]
          }
        }
      }
    case "shadowsocks":
      return { method: "2022-blake3-aes-128-gcm", password: own.serverKey }
    case "hysteria2": {
      const files = own.tls.mode === "files" ? own.tls : tls
      return files === undefined
        ? undefined
        : {
            ...(own.obfsPassword === null ? {} : { obfs: { type: "salamander", password: own.obfsPassword } }),
            tls: {
              enabled: true,
              server_name: own.tls.serverName,
              certificate_path: files.certificatePath,
              key_path: files.keyPath,
              alpn: ["h3"]
            }
          }
    }
  }
}

/** A pair that a fresh config knows. */
export interface Known {
  readonly name: string
  readonly credential: CredentialRef
  readonly inbound: number
  readonly access: Access
  readonly open: boolean
}

/** The pairs a fresh config of `serving` knows: every credential at every active inbound whose protocol it has. */
export const knownPairs = (serving: Serving): ReadonlyArray<Known> =>
  serving.inbounds
    .filter((inbound) => inbound.isActive)
    .flatMap((inbound) =>
      serving.credentials.flatMap((credential) => {
        const access = credential.access.get(inbound.ref)
        return access?.protocol !== inbound.settings.protocol
          ? []
          : [
              {
                name: pairName(credential.ref, inbound.ref),
                credential: credential.ref,
                inbound: inbound.ref,
                access,
                open: credential.open.has(inbound.ref)
              }
            ]
      })
    )

const blocked = (tag: string, open: boolean) => ({
  type: "selector" as const,
  tag,
  outbounds: [`c${parsePair(tag)!.credential}`, blockTag],
  default: open ? `c${parsePair(tag)!.credential}` : blockTag,
  interrupt_exist_connections: true
})

/**
 * Renders the config of one run. Inbounds that are inactive, known to nobody or without their certificate are left out:
 * a Shadowsocks inbound without users would let the server key in.
 */
export const render = (serving: Serving, options: NodeOptions): ServerConfig => {
  const pairs = knownPairs(serving)
  const inbounds = serving.inbounds.flatMap((inbound) => {
    const users = pairs.filter((pair) => pair.inbound === inbound.ref)
    const own = settings(inbound, options.certificates.get(inbound.ref))
    return users.length === 0 || own === undefined
      ? []
      : [
          {
            type: inbound.settings.protocol,
            tag: `in-${inbound.ref}`,
            listen: inbound.listen,
            listen_port: inbound.port,
            users: users.map(({ access, name }) => user(name, access)),
            ...own
          }
        ]
  })
  const credentials = new Set(pairs.map((pair) => pair.credential))
  return {
    log: { disabled: true },
    dns: { servers: [{ type: "local", tag: "local" }] },
    inbounds,
    outbounds: [
      { type: "block", tag: blockTag },
      { type: "block", tag: epochTag(options.epoch) },
      ...Array.from(credentials, (ref) => ({ type: "direct" as const, tag: outboundTag(ref) })),
      ...pairs.map(({ name, open }) => blocked(name, open))
    ],
    route: {
      default_domain_resolver: "local",
      rules: [
        { clash_mode: drainMode, action: "reject" },
        { action: "resolve" },
        { ip_is_private: true, action: "reject" },
        { ip_cidr: ["100.64.0.0/10"], action: "reject" },
        ...(options.manyPeerUdp ? [] : [{ action: "route-options", udp_connect: true }]),
        ...pairs.map(({ name }) => ({ auth_user: [name], action: "route", outbound: name }))
      ],
      final: blockTag
    },
    experimental: {
      v2ray_api: { listen: options.stats, stats: { enabled: true, users: pairs.map(({ name }) => name) } },
      clash_api: { external_controller: options.control, secret: options.secret, default_mode: servingMode }
    }
  }
}

/**
 * The same config for another run: the selectors named in `open` let pass, all others are blocked. For going back to
 * what ran before without going back to whom it let in.
 */
export const rerun = (
  config: ServerConfig,
  open: ReadonlySet<string>,
  run: Pick<NodeOptions, "epoch" | "stats" | "control" | "secret">
): ServerConfig => ({
  ...config,
  outbounds: config.outbounds.map((outbound) =>
    outbound.type === "selector"
      ? blocked(outbound.tag, open.has(outbound.tag))
      : outbound.tag.startsWith(epochTag(""))
        ? { ...outbound, tag: epochTag(run.epoch) }
        : outbound
  ),
  experimental: {
    v2ray_api: { ...config.experimental.v2ray_api, listen: run.stats },
    clash_api: { ...config.experimental.clash_api, external_controller: run.control, secret: run.secret }
  }
})
