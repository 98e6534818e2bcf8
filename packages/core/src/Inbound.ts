/**
 * One entry point on a node: the seed's fields and the settings its protocol needs.
 *
 * `InboundSettings` holds private keys; it goes to the inbound's own node and to nobody else. What a client may know
 * of it is chosen by `SingBoxClient`.
 */
import { Schema } from "effect"
import type { Instant } from "./Instant.ts"
import * as Id from "./Id.ts"
import { isAddress } from "./Listen.ts"
import * as Wire from "./Wire.ts"

const Host = Schema.NonEmptyString.pipe(
  Schema.check(Schema.isMaxLength(253)),
  Schema.check(Schema.isPattern(/^[A-Za-z0-9._:-]+$/u))
)

/** An address to listen on: an IPv4 or IPv6 literal, for sing-box takes no names there. */
export const Address = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((text: string) => isAddress(text) || "Expected an IPv4 or IPv6 address, such as 0.0.0.0 or ::")
  )
)

/** A TCP or UDP port, 1 to 65535. */
export const Port = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 65535 })))

/** Certificate and key files that lie on the node. */
export const FilesTls = Wire.struct({
  mode: Schema.Literal("files"),
  serverName: Host,
  certificatePath: Schema.NonEmptyString,
  keyPath: Schema.NonEmptyString
})

/** A certificate (ECDSA P-256) that the agent makes; its PEM is reported and pinned in the client's config. */
export const AgentTls = Wire.struct({ mode: Schema.Literal("agent"), serverName: Host })

/** vless over REALITY with XTLS vision: TCP. Keys are X25519, base64url without padding; the short id is 16 hex digits. */
export const VlessSettings = Wire.struct({
  protocol: Schema.Literal("vless"),
  privateKey: Schema.NonEmptyString,
  publicKey: Schema.NonEmptyString,
  shortId: Schema.String.pipe(Schema.check(Schema.isPattern(/^([0-9a-f]{2}){0,8}$/u))),
  /** The foreign TLS server whose handshake is shown to strangers. */
  serverName: Host,
  handshakeHost: Host,
  handshakePort: Port
})

/** Shadowsocks 2022 (2022-blake3-aes-128-gcm): TCP and UDP. The server key is 16 bytes, base64. */
export const ShadowsocksSettings = Wire.struct({
  protocol: Schema.Literal("shadowsocks"),
  serverKey: Schema.NonEmptyString
})

/** Hysteria 2: QUIC. */
export const Hysteria2Settings = Wire.struct({
  protocol: Schema.Literal("hysteria2"),
  obfsPassword: Schema.NullOr(Schema.NonEmptyString),
  tls: Schema.Union([AgentTls, FilesTls])
})

/** Everything the node must know to open the inbound, private keys among it. */
export const InboundSettings = Schema.Union([VlessSettings, ShadowsocksSettings, Hysteria2Settings])
export type InboundSettings = typeof InboundSettings.Type

export const Protocol = Schema.Literals(["vless", "shadowsocks", "hysteria2"])
export type Protocol = typeof Protocol.Type

/** The transport a protocol listens on, as the seed's `network`. */
export const networkOf = (protocol: Protocol): "tcp" | "udp" | "tcp,udp" =>
  protocol === "vless" ? "tcp" : protocol === "hysteria2" ? "udp" : "tcp,udp"

/** Plain usage: one byte counts as one byte. Thousandths. */
export const plainMultiplier = 1000

/** Which inbounds to list; what is absent filters nothing. */
export interface InboundFilter {
  readonly nodeId?: string
  readonly geo?: string
  readonly purpose?: string
  readonly isActive?: boolean
  readonly protocol?: Protocol
  /** Text anywhere in the host, whatever its case. */
  readonly search?: string
}

/** An inbound as the control plane stores it. */
export interface Inbound {
  readonly id: string
  /** A small number the node knows the inbound by; unique in the whole store, never reused. */
  readonly ref: number
  readonly nodeId: string
  /** What clients connect to. */
  readonly host: string
  readonly port: number
  /** The address the node listens on; `::` is every address. */
  readonly listen: string
  readonly protocol: Protocol
  readonly network: string
  readonly tls: boolean
  readonly geo: string | null
  readonly purpose: string | null
  readonly isActive: boolean
  /** Thousandths: 1000 counts every byte once. */
  readonly trafficMultiplier: number
  readonly settings: InboundSettings
  /** PEM of the certificate the agent made and reported; null until then, and for the other ways of TLS. */
  readonly certificate: string | null
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

/** True once the inbound can be put in a client's config: active, and its pinned certificate known where it needs one. */
export const isServable = (inbound: Inbound): boolean =>
  inbound.isActive &&
  (inbound.settings.protocol !== "hysteria2" || inbound.settings.tls.mode === "files" || inbound.certificate !== null)

/** What a node is told of one of its inbounds. */
export const NodeInbound = Wire.struct({
  /** The number by which the node's config and counters name the inbound. */
  ref: Schema.Int,
  id: Id.Uuid,
  listen: Schema.NonEmptyString,
  port: Port,
  isActive: Schema.Boolean,
  trafficMultiplier: Schema.Int,
  settings: InboundSettings
})
export type NodeInbound = typeof NodeInbound.Type
