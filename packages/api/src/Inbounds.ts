/** Inbounds: entry points on nodes (`/api/v1/inbounds`). Keys are made by the server; private ones are never answered. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Host as Hosts, Id, Inbound, Instant, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"
import * as Version from "./Version.ts"

const { Domain, Host, Path } = Hosts

/** What is chosen per protocol; everything secret is made. */
export const SettingsDraft = Schema.Union([
  Wire.struct({
    protocol: Schema.Literal("vless"),
    serverName: Domain,
    handshakeHost: Schema.optionalKey(Host),
    handshakePort: Schema.optionalKey(Inbound.Port)
  }),
  Wire.struct({ protocol: Schema.Literal("shadowsocks") }),
  Wire.struct({
    protocol: Schema.Literal("hysteria2"),
    serverName: Host,
    /** Both or neither. */
    certificatePath: Schema.optionalKey(Path),
    keyPath: Schema.optionalKey(Path)
  })
])

/** What of the settings can change while the keys stay; only what the protocol has. */
export const SettingsPatch = Wire.struct({
  /** vless: a domain. */
  serverName: Schema.optionalKey(Host),
  handshakeHost: Schema.optionalKey(Host),
  handshakePort: Schema.optionalKey(Inbound.Port),
  /** hysteria2; null, both of them: the agent makes a certificate. */
  certificatePath: Schema.optionalKey(Schema.NullOr(Path)),
  keyPath: Schema.optionalKey(Schema.NullOr(Path))
})

/** What may be known of the settings: nothing that opens the inbound. */
export const SettingsView = Schema.Union([
  Wire.struct({
    protocol: Schema.Literal("vless"),
    serverName: Schema.String,
    handshakeHost: Schema.String,
    handshakePort: Inbound.Port,
    publicKey: Schema.String,
    shortId: Schema.String
  }),
  Wire.struct({ protocol: Schema.Literal("shadowsocks") }),
  Wire.struct({
    protocol: Schema.Literal("hysteria2"),
    serverName: Schema.String,
    tlsMode: Schema.Literals(["agent", "files"]),
    /** Null for operators, and when the agent makes the certificate. */
    certificatePath: Schema.NullOr(Schema.String),
    keyPath: Schema.NullOr(Schema.String)
  })
])
export type SettingsView = typeof SettingsView.Type

const Text = Wire.text(2000)
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

/** What whoever made the change should know. */
export const Warning = Wire.struct({ code: Schema.Literal("configs_outdated"), detail: Schema.String })

/** An inbound after a change, with what follows from it for the clients. */
export const ChangedInboundView = Wire.struct({ ...InboundView.to.fields, warnings: Schema.Array(Warning) })
export type ChangedInboundView = typeof ChangedInboundView.Type

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
  trafficMultiplier: Schema.optionalKey(Multiplier),
  settings: Schema.optionalKey(SettingsPatch)
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
        "For superusers. vless: REALITY in front of server_name, a domain. shadowsocks: 2022-blake3-aes-128-gcm. hysteria2: a certificate that the agent makes, or certificate_path and key_path on the node, both. 409 when another inbound of the node listens on the port: on the same transport (shadowsocks takes both) and an address that overlaps (:: overlaps every one)."
      )
    ),
    HttpApiEndpoint.get("list", "/", {
      query: {
        ...Page.query,
        node_id: Schema.optional(Id.Uuid),
        geo: Schema.optional(Text),
        purpose: Schema.optional(Text),
        is_active: Schema.optional(Page.Flag),
        protocol: Schema.optional(Inbound.Protocol),
        search: Schema.optional(Page.Search)
      },
      success: Page.of(InboundView),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List inbounds",
        "By id, ascending; every filter that is given must fit. search: text anywhere in the host, whatever its case. Operators see the active ones, to link subscriptions to."
      )
    ),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: Version.of(InboundView),
      error: Problem.reading
    }).annotateMerge(describe("Get an inbound", "Operators find the active ones.")),
    HttpApiEndpoint.patch("change", "/:id", {
      params,
      payload: InboundPatch,
      success: Version.of(ChangedInboundView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Change an inbound",
        "For superusers. What is absent stays; protocol and keys cannot change here. Of the settings: vless server_name and handshake, hysteria2 server_name and certificate files; the node's data plane then starts again once. warnings say when apps must fetch their configs again."
      )
    ),
    HttpApiEndpoint.post("rotateKeys", "/:id/rotate-keys", {
      params,
      success: Version.of(ChangedInboundView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Give an inbound new keys",
        "For superusers. vless: REALITY pair and short id; shadowsocks: server key; hysteria2: obfs password. The node's data plane starts again once, which drops what is open on it; apps are refused until they fetch their config again, at the latest after their update interval. To rotate without an outage, create a second inbound, link it, and delete this one an interval later."
      )
    ),
    HttpApiEndpoint.delete("remove", "/:id", { params, error: Problem.editing }).annotateMerge(
      describe(
        "Delete an inbound",
        "For superusers. Unlinks every subscription and erases the keys; the node's data plane starts again once, without it. Traffic that its node reports later is still counted."
      )
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1/inbounds")
  .annotateMerge(describe("Inbounds", "Entry points on nodes.")) {}
