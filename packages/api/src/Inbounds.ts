/** Inbounds: entry points on nodes (`/api/v1/inbounds`). Keys are made by the server; private ones are never answered. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Id, Inbound, Instant, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"
import * as Version from "./Version.ts"

const { serverName, handshakeHost, handshakePort } = Inbound.VlessSettings.to.fields
const { certificatePath, keyPath } = Inbound.FilesTls.to.fields

/** What is chosen per protocol; everything secret is made. */
export const SettingsDraft = Schema.Union([
  Wire.struct({
    protocol: Schema.Literal("vless"),
    serverName,
    handshakeHost: Schema.optionalKey(handshakeHost),
    handshakePort: Schema.optionalKey(handshakePort)
  }),
  Wire.struct({ protocol: Schema.Literal("shadowsocks") }),
  Wire.struct({
    protocol: Schema.Literal("hysteria2"),
    serverName,
    certificatePath: Schema.optionalKey(certificatePath),
    keyPath: Schema.optionalKey(keyPath)
  })
])

/** What may be known of the settings: nothing that opens the inbound. */
export const SettingsView = Schema.Union([
  Wire.struct({
    protocol: Schema.Literal("vless"),
    serverName,
    handshakeHost,
    handshakePort,
    publicKey: Schema.String,
    shortId: Schema.String
  }),
  Wire.struct({ protocol: Schema.Literal("shadowsocks") }),
  Wire.struct({
    protocol: Schema.Literal("hysteria2"),
    serverName,
    tlsMode: Schema.Literals(["agent", "files"]),
    certificatePath: Schema.NullOr(certificatePath),
    keyPath: Schema.NullOr(keyPath)
  })
])
export type SettingsView = typeof SettingsView.Type

const Text = Wire.text(2000)
const Host = serverName
const Multiplier = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))).annotate({
  description: "thousandths: 1000 counts every byte once"
})

export const InboundView = Wire.struct({
  id: Id.Uuid,
  nodeId: Id.Uuid,
  /** What clients connect to. */
  host: Schema.String,
  port: Inbound.Port,
  /** The address the node listens on; `::` is every address. */
  listen: Schema.String,
  protocol: Inbound.Protocol,
  /** tcp, udp or tcp,udp. */
  network: Schema.String,
  tls: Schema.Boolean,
  geo: Schema.NullOr(Schema.String),
  purpose: Schema.NullOr(Schema.String),
  isActive: Schema.Boolean,
  trafficMultiplier: Schema.Int,
  settings: SettingsView,
  /** PEM of the certificate the node's agent made; null until then, and for the other ways of TLS. */
  certificate: Schema.NullOr(Schema.String),
  /** False while it is left out of configs: inactive, or its certificate is not known yet. */
  isServable: Schema.Boolean,
  createdAt: Instant.Instant,
  updatedAt: Instant.Instant
})
export type InboundView = typeof InboundView.Type

export const NewInbound = Wire.struct({
  nodeId: Id.Uuid,
  host: Host,
  port: Inbound.Port,
  listen: Schema.optionalKey(Inbound.Address),
  geo: Schema.optionalKey(Schema.NullOr(Text)),
  purpose: Schema.optionalKey(Schema.NullOr(Text)),
  trafficMultiplier: Schema.optionalKey(Multiplier),
  settings: SettingsDraft
})

/** What is absent stays. */
export const InboundPatch = Wire.struct({
  host: Schema.optionalKey(Host),
  port: Schema.optionalKey(Inbound.Port),
  listen: Schema.optionalKey(Inbound.Address),
  geo: Schema.optionalKey(Schema.NullOr(Text)),
  purpose: Schema.optionalKey(Schema.NullOr(Text)),
  isActive: Schema.optionalKey(Schema.Boolean),
  trafficMultiplier: Schema.optionalKey(Multiplier)
})

const params = { id: Id.Uuid }

export class Inbounds extends HttpApiGroup.make("inbounds")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewInbound,
      success: Version.of(InboundView.pipe(HttpApiSchema.status(201))),
      error: Problem.changing
    }).annotateMerge(
      describe(
        "Create an inbound",
        "For superusers. vless: REALITY in front of server_name. shadowsocks: 2022-blake3-aes-128-gcm. hysteria2: a certificate of the node's own, or certificate_path and key_path on the node. 409 when the node has the port already."
      )
    ),
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, node_id: Schema.optional(Id.Uuid) },
      success: Page.of(InboundView),
      error: Problem.reading
    }).annotateMerge(describe("List inbounds", "By id, ascending; of one node with node_id. Operators see them too.")),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: Version.of(InboundView),
      error: Problem.reading
    }).annotateMerge(describe("Get an inbound")),
    HttpApiEndpoint.patch("change", "/:id", {
      params,
      payload: InboundPatch,
      success: Version.of(InboundView),
      error: Problem.editing
    }).annotateMerge(
      describe("Change an inbound", "For superusers. What is absent stays; protocol and keys cannot change.")
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1/inbounds")
  .annotateMerge(describe("Inbounds", "Entry points on nodes.")) {}
