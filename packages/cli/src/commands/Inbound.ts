/** `vpnmgr inbound`: entry points on nodes. */
import type { Inbounds } from "@vpnmgr/api"
import { Option } from "effect"
import { Command, Flag } from "effect/cli"
import { both, present } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import { fields } from "../output/Table.ts"
import { printable } from "../output/Text.ts"
import * as Inputs from "./Inputs.ts"
import { ofInbound } from "./SubscriptionLists.ts"
import * as Verb from "./Verb.ts"

const settingsLines = (settings: Inbounds.SettingsView): ReadonlyArray<readonly [string, string | null]> => {
  if (settings.protocol === "shadowsocks") return []
  if (settings.protocol === "vless")
    return [
      ["server name", settings.serverName],
      ["handshake", `${settings.handshakeHost}:${settings.handshakePort}`],
      ["public key", settings.publicKey],
      ["short id", settings.shortId]
    ]
  return [
    ["server name", settings.serverName],
    ["certificate", settings.tlsMode === "agent" ? "made by the node's agent" : settings.certificatePath]
  ]
}

const times = (thousandths: number): string => `${thousandths / 1000}`

const one = (inbound: Inbounds.InboundView): string =>
  fields([
    ["id", inbound.id],
    ["node", inbound.nodeId],
    ["clients use", `${inbound.host}:${inbound.port} (${inbound.network})`],
    ["listens on", inbound.listen],
    ["protocol", inbound.protocol],
    ...settingsLines(inbound.settings),
    ["geo", inbound.geo],
    ["purpose", inbound.purpose],
    ["active", Show.yes(inbound.isActive)],
    [
      "in configs",
      inbound.isServable || !inbound.isActive ? Show.yes(inbound.isServable) : "once its certificate is known"
    ],
    ["traffic counts", `times ${times(inbound.trafficMultiplier)}`],
    ["created", Show.instant(inbound.createdAt)]
  ])

const port = Flag.Int("port").pipe(Flag.withDescription("The port clients connect to, 1 to 65535"))

const multiplier = Flag.String("traffic-multiplier").pipe(
  Flag.withMetavar("factor"),
  Flag.withDescription("What a byte counts as, such as 0.5 or 2; at most three digits after the point"),
  Flag.filterMap(
    (text): Option.Option<number | undefined> =>
      /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Option.some(Math.round(Number(text) * 1000)) : Option.none(),
    () => "a factor such as 0.5 or 2"
  ),
  Flag.withDefault(undefined)
)

const common = {
  nodeId: Inputs.referenceFlag("node", "The node it is on").pipe(Flag.withAlias("n")),
  host: Flag.String("host").pipe(Flag.withDescription("The name or address clients connect to")),
  port,
  listen: Inputs.text("listen", "address", "The address the node listens on; every one by default"),
  geo: Inputs.text("geo", "text", "Where it comes out"),
  purpose: Inputs.text("purpose", "text", "What it is for"),
  trafficMultiplier: multiplier
}

const serverName = Flag.String("server-name").pipe(
  Flag.withDescription("vless: the TLS server it hides behind; hysteria2: the name in the certificate")
)

const vless = Verb.verb("vless", {
  description: "vless over REALITY with XTLS vision: TCP",
  examples: [
    "vpnmgr inbound create vless --node 01994a40 --host vpn.example.org --port 443 --server-name www.example.com"
  ],
  flags: {
    ...common,
    serverName,
    handshakeHost: Inputs.text(
      "handshake-host",
      "host",
      "Where the server it hides behind is reached; its name by default"
    ),
    handshakePort: Inputs.whole("handshake-port", "port", "The port there; default 443")
  },
  headers: "create",
  call: (client, { handshakeHost, handshakePort, serverName, ...rest }) => {
    const settings = { protocol: "vless", serverName, handshakeHost, handshakePort } as const
    return client.inbounds.create({ payload: present({ ...rest, settings: present(settings) }), ...both })
  },
  view: one
})

const shadowsocks = Verb.verb("shadowsocks", {
  description: "Shadowsocks 2022: TCP and UDP",
  examples: ["vpnmgr inbound create shadowsocks --node 01994a40 --host 127.0.0.1 --port 8388"],
  flags: common,
  headers: "create",
  call: (client, given) =>
    client.inbounds.create({ payload: present({ ...given, settings: { protocol: "shadowsocks" } as const }), ...both }),
  view: one
})

const hysteria2 = Verb.verb("hysteria2", {
  description: "Hysteria 2: QUIC; without certificate files the agent makes a certificate",
  examples: [
    "vpnmgr inbound create hysteria2 --node 01994a40 --host vpn.example.org --port 443 --server-name vpn.example.org"
  ],
  flags: {
    ...common,
    serverName,
    certificatePath: Inputs.text("certificate-path", "file", "The certificate chain on the node, PEM"),
    keyPath: Inputs.text("key-path", "file", "The private key on the node, PEM")
  },
  headers: "create",
  call: (client, { certificatePath, keyPath, serverName, ...rest }) => {
    const settings = { protocol: "hysteria2", serverName, certificatePath, keyPath } as const
    return client.inbounds.create({ payload: present({ ...rest, settings: present(settings) }), ...both })
  },
  view: one
})

const create = Command.make("create").pipe(
  Command.withDescription("Create an inbound; its keys are made"),
  Command.withSubcommands([vless, shadowsocks, hysteria2])
)

const list = Verb.list("list", {
  description: "List inbounds",
  examples: ["vpnmgr inbound list", "vpnmgr inbound list --node 01994a40 --protocol vless --active yes"],
  flags: {
    node: Inputs.optionalReference("node", "Only of this node"),
    protocol: Inputs.oneOf("protocol", ["vless", "shadowsocks", "hysteria2"], "Only of this protocol"),
    geo: Inputs.text("geo", "text", "Only what comes out there"),
    purpose: Inputs.text("purpose", "text", "Only what is for that"),
    active: Inputs.truth("active", "Only what is served, or is not"),
    search: Inputs.text("search", "text", "Only with this in the host")
  },
  call: (client, { active, node, ...filters }, page) =>
    client.inbounds.list({ query: { ...page, ...filters, node_id: node, is_active: active }, ...both }),
  columns: [
    ["id", (inbound) => inbound.id],
    ["protocol", (inbound) => inbound.protocol],
    ["clients use", (inbound) => `${inbound.host}:${inbound.port}`],
    ["node", (inbound) => inbound.nodeId],
    ["geo", (inbound) => inbound.geo ?? ""],
    ["active", (inbound) => Show.yes(inbound.isActive)],
    ["in configs", (inbound) => Show.yes(inbound.isServable)]
  ],
  none: "There are no inbounds. `vpnmgr inbound create` makes one."
})

const show = Verb.verb("show", {
  description: "Show an inbound, without its private keys",
  examples: ["vpnmgr inbound show 01994a42"],
  flags: { inbound: Inputs.it("inbound") },
  call: (client, { inbound }) => client.inbounds.get({ params: { id: inbound }, ...both }),
  view: one
})

/** What a change answers: what it is now, and what that means for the clients. */
const changed = ({ warnings, ...inbound }: Inbounds.ChangedInboundView): string =>
  [one(inbound), ...warnings.map(({ detail }) => `\nWarning: ${printable(detail)}`)].join("\n")

const change = Verb.verb("change", {
  description: "Change an inbound; what is left out stays",
  examples: [
    "vpnmgr inbound change 01994a42 --active no",
    ["vpnmgr inbound change 01994a42 --server-name www.example.net", "The node's data plane starts again once"]
  ],
  flags: {
    inbound: Inputs.it("inbound"),
    host: Inputs.text("host", "host", "The name or address clients connect to"),
    port: Inputs.whole("port", "port", "The port clients connect to, 1 to 65535"),
    listen: common.listen,
    geo: Inputs.clearable("geo", "text", "Where it comes out"),
    purpose: Inputs.clearable("purpose", "text", "What it is for"),
    isActive: Inputs.truth("active", "Whether it is served and stands in configs"),
    trafficMultiplier: multiplier,
    settings: {
      serverName: Inputs.text("server-name", "host", "vless, hysteria2: as when it is created"),
      handshakeHost: Inputs.text("handshake-host", "host", "vless: as when it is created"),
      handshakePort: Inputs.whole("handshake-port", "port", "vless: as when it is created"),
      certificatePath: Inputs.clearable("certificate-path", "file", "hysteria2: the certificate chain on the node"),
      keyPath: Inputs.clearable("key-path", "file", "hysteria2: its private key on the node")
    }
  },
  headers: "change",
  call: (client, { inbound, settings, ...rest }) => {
    const chosen = present(settings)
    const payload = Object.keys(chosen).length === 0 ? rest : { ...rest, settings: chosen }
    return client.inbounds.change({ params: { id: inbound }, payload: present(payload), ...both })
  },
  view: changed
})

const rotateKeys = Verb.verb("rotate-keys", {
  description: "Give an inbound new keys: apps are refused until they fetch their configs again",
  examples: ["vpnmgr inbound rotate-keys 01994a42 --yes"],
  flags: { inbound: Inputs.it("inbound") },
  headers: "act",
  confirm: ({ inbound }) =>
    `Give the inbound ${inbound.text} new keys? What is open on its node is dropped, and apps are refused until they fetch their configs again.`,
  call: (client, { inbound }) => client.inbounds.rotateKeys({ params: { id: inbound }, ...both }),
  view: changed
})

const remove = Verb.verb("delete", {
  description: "Delete an inbound: every subscription is unlinked from it, its keys are erased",
  examples: ["vpnmgr inbound delete 01994a42", ["vpnmgr inbound delete 01994a42 --yes", "Without being asked"]],
  flags: { inbound: Inputs.it("inbound") },
  headers: "change",
  confirm: ({ inbound }) => `Delete the inbound ${inbound.text}? Every subscription is unlinked from it.`,
  call: (client, { inbound }) => client.inbounds.remove({ params: { id: inbound }, ...both }),
  view: (_, __, { inbound }) => `Inbound ${inbound} is deleted.`
})

const linked = (count: number, what: string): string =>
  `${count} ${count === 1 ? "subscription was" : "subscriptions were"} ${what}`

const linkSubscriptions = Verb.verb("link-subscriptions", {
  description: "Link an inbound to many subscriptions and unlink it from others, all or nothing",
  examples: [
    "vpnmgr inbound link-subscriptions 01994a42 --link 01994a43 --link 01994a47 --unlink 01994a48",
    ["vpnmgr inbound link-subscriptions 01994a42 --link-file ids.txt", "One id a line, 1000 at most"]
  ],
  flags: {
    inbound: Inputs.it("inbound"),
    link: Inputs.references("subscription", "A subscription to link", "link"),
    unlink: Inputs.references("subscription", "A subscription to unlink", "unlink"),
    linkFile: Inputs.referencesFile("subscription", "link-file", "Link those in the file as well, one a line"),
    unlinkFile: Inputs.referencesFile("subscription", "unlink-file", "Unlink those in the file as well, one a line")
  },
  headers: "create",
  call: (client, { inbound, link, linkFile, unlink, unlinkFile }) =>
    client.subscriptions.linkInbound({
      params: { id: inbound },
      payload: { link: [...link, ...linkFile], unlink: [...unlink, ...unlinkFile] },
      ...both
    }),
  view: (changed) =>
    `${linked(changed.linked.length, "linked")}, ${linked(changed.unlinked.length, "unlinked")} that had not been so before.`
})

/** The noun with its verbs. */
export const inbound = Command.make("inbound").pipe(
  Command.withDescription("Entry points on nodes"),
  Command.withSubcommands([create, list, show, change, ofInbound, linkSubscriptions, rotateKeys, remove])
)
