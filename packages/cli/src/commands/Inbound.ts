/** `vpnmgr inbound`: entry points on nodes. */
import type { Inbounds } from "@vpnmgr/api"
import { Option } from "effect"
import { Command, Flag } from "effect/cli"
import { ask, both, present } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import { fields, table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import { nodeFlag } from "./Node.ts"

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
  nodeId: nodeFlag,
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

const vless = Command.make(
  "vless",
  {
    ...common,
    serverName,
    handshakeHost: Inputs.text(
      "handshake-host",
      "host",
      "Where the server it hides behind is reached; its name by default"
    ),
    handshakePort: Flag.Int("handshake-port").pipe(
      Flag.withDescription("The port there; default 443"),
      Flag.map((value): number | undefined => value),
      Flag.withDefault(undefined)
    )
  },
  ({ handshakeHost, handshakePort, serverName, ...rest }) => {
    const settings = { protocol: "vless", serverName, handshakeHost, handshakePort } as const
    return ask(
      (client) => client.inbounds.create({ payload: present({ ...rest, settings: present(settings) }), ...both }),
      one
    )
  }
).pipe(
  Command.withDescription("vless over REALITY with XTLS vision: TCP"),
  Command.withExamples([
    {
      command:
        "vpnmgr inbound create vless --node 01994a40-0c2d-7b1f-b6a0-112233445566 --host vpn.example.org --port 443 --server-name www.example.com"
    }
  ])
)

const shadowsocks = Command.make("shadowsocks", common, (payload) =>
  ask(
    (client) =>
      client.inbounds.create({
        payload: present({ ...payload, settings: { protocol: "shadowsocks" } as const }),
        ...both
      }),
    one
  )
).pipe(
  Command.withDescription("Shadowsocks 2022: TCP and UDP"),
  Command.withExamples([
    {
      command:
        "vpnmgr inbound create shadowsocks --node 01994a40-0c2d-7b1f-b6a0-112233445566 --host 127.0.0.1 --port 8388"
    }
  ])
)

const hysteria2 = Command.make(
  "hysteria2",
  {
    ...common,
    serverName,
    certificatePath: Inputs.text("certificate-path", "file", "The certificate chain on the node, PEM"),
    keyPath: Inputs.text("key-path", "file", "The private key on the node, PEM")
  },
  ({ certificatePath, keyPath, serverName, ...rest }) => {
    const settings = { protocol: "hysteria2", serverName, certificatePath, keyPath } as const
    return ask(
      (client) => client.inbounds.create({ payload: present({ ...rest, settings: present(settings) }), ...both }),
      one
    )
  }
).pipe(
  Command.withDescription("Hysteria 2: QUIC; without certificate files the agent makes a certificate"),
  Command.withExamples([
    {
      command:
        "vpnmgr inbound create hysteria2 --node 01994a40-0c2d-7b1f-b6a0-112233445566 --host vpn.example.org --port 443 --server-name vpn.example.org"
    }
  ])
)

const create = Command.make("create").pipe(
  Command.withDescription("Create an inbound; its keys are made"),
  Command.withSubcommands([vless, shadowsocks, hysteria2])
)

const list = Command.make(
  "list",
  {
    ...Inputs.page,
    node: Inputs.idFlag("node", "Only of this node").pipe(
      Flag.map((value): string | undefined => value),
      Flag.withDefault(undefined)
    )
  },
  ({ node, ...page }) =>
    ask(
      (client) => client.inbounds.list({ query: { ...page, node_id: node }, ...both }),
      ({ items, nextCursor }) =>
        table(
          [
            ["id", (inbound) => inbound.id],
            ["protocol", (inbound) => inbound.protocol],
            ["clients use", (inbound) => `${inbound.host}:${inbound.port}`],
            ["node", (inbound) => inbound.nodeId],
            ["geo", (inbound) => inbound.geo ?? ""],
            ["active", (inbound) => Show.yes(inbound.isActive)],
            ["in configs", (inbound) => Show.yes(inbound.isServable)]
          ],
          items,
          "There are no inbounds. `vpnmgr inbound create` makes one."
        ) + Show.more(nextCursor)
    )
).pipe(Command.withDescription("List inbounds"), Command.withExamples([{ command: "vpnmgr inbound list" }]))

const show = Command.make("show", { id: Inputs.id("inbound") }, ({ id }) =>
  ask((client) => client.inbounds.get({ params: { id }, ...both }), one)
).pipe(
  Command.withDescription("Show an inbound, without its private keys"),
  Command.withExamples([{ command: "vpnmgr inbound show 01994a42-3344-7556-8677-8899aabbccdd" }])
)

const change = Command.make(
  "change",
  {
    id: Inputs.id("inbound"),
    host: Inputs.text("host", "host", "The name or address clients connect to"),
    port: port.pipe(
      Flag.map((value): number | undefined => value),
      Flag.withDefault(undefined)
    ),
    listen: common.listen,
    geo: Inputs.clearable("geo", "text", "Where it comes out"),
    purpose: Inputs.clearable("purpose", "text", "What it is for"),
    isActive: Flag.Literals("active", ["yes", "no"]).pipe(
      Flag.withDescription("Whether it is served and stands in configs"),
      Flag.map((value): boolean | undefined => value === "yes"),
      Flag.withDefault(undefined)
    ),
    trafficMultiplier: multiplier
  },
  ({ id, ...payload }) =>
    ask((client) => client.inbounds.change({ params: { id }, payload: present(payload), ...both }), one)
).pipe(
  Command.withDescription("Change an inbound; what is left out stays"),
  Command.withExamples([{ command: "vpnmgr inbound change 01994a42-3344-7556-8677-8899aabbccdd --active no" }])
)

/** The noun with its verbs. */
export const inbound = Command.make("inbound").pipe(
  Command.withDescription("Entry points on nodes"),
  Command.withSubcommands([create, list, show, change])
)
