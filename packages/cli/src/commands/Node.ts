/** `vpnmgr node`: servers that carry traffic. */
import type { Nodes } from "@vpnmgr/api"
import { Command } from "effect/cli"
import { both, present } from "../client/Answer.ts"
import { showSpeed } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { fields } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const one = ({ health, ...node }: Nodes.NodeView): string =>
  fields([
    ["id", node.id],
    ["description", node.description],
    ["geo", node.geo],
    ["purpose", node.purpose],
    ["link speed", node.linkSpeed === null ? "not said" : showSpeed(node.linkSpeed)],
    ["active", Show.yes(health.isActive)],
    ["last seen", Show.instant(health.lastSeenAt)],
    ["revision", `${health.servedRevision ?? "none"} of ${health.revision}`],
    ["agent", health.agentVersion],
    ["data plane", health.planeVersion],
    ["last error", health.lastError],
    ["warning", health.isCloned ? "two agents report with its token" : null],
    ["created", Show.instant(node.createdAt)]
  ])

const create = Verb.verb("create", {
  description: "Create a node; `vpnmgr token create` then makes its agent's key",
  examples: ["vpnmgr node create --description fra-1 --geo DE --link-speed 1Gbit"],
  flags: {
    description: Inputs.text("description", "text", "What to call it"),
    geo: Inputs.text("geo", "text", "Where it stands"),
    purpose: Inputs.text("purpose", "text", "What it is for"),
    linkSpeed: Inputs.speed("link-speed", "What its link carries at most; faster reports are not counted")
  },
  headers: "create",
  call: (client, payload) => client.nodes.create({ payload: present(payload), ...both }),
  view: one
})

const list = Verb.list("list", {
  description: "List nodes",
  examples: ["vpnmgr node list"],
  flags: {},
  call: (client, _, query) => client.nodes.list({ query, ...both }),
  columns: [
    ["id", (node) => node.id],
    ["description", (node) => node.description ?? ""],
    ["geo", (node) => node.geo ?? ""],
    ["active", (node) => Show.yes(node.health.isActive)],
    ["last seen", (node) => Show.instant(node.health.lastSeenAt)],
    ["revision", (node) => `${node.health.servedRevision ?? "none"} of ${node.health.revision}`]
  ],
  none: "There are no nodes. `vpnmgr node create` makes one."
})

const show = Verb.verb("show", {
  description: "Show a node with what is known of its agent",
  examples: ["vpnmgr node show 01994a40"],
  flags: { node: Inputs.it("node") },
  call: (client, { node }) => client.nodes.get({ params: { id: node }, ...both }),
  view: one
})

/** The noun with its verbs. */
export const node = Command.make("node").pipe(
  Command.withDescription("Servers that carry traffic"),
  Command.withSubcommands([create, list, show])
)
