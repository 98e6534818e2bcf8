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
    ["pending", health.pendingChanges === 0 ? null : `${health.pendingChanges} changes it does not serve yet`],
    ["agent", health.agentVersion],
    ["node protocol", health.protocolVersion],
    ["data plane", health.planeVersion],
    [
      "last outcome",
      health.lastOutcome === null ? null : `${health.lastOutcome}, ${Show.instant(health.lastOutcomeAt)}`
    ],
    ["last error", health.lastError === null ? null : `${health.lastError} (${Show.instant(health.lastErrorAt)})`],
    ["warning", health.isCloned ? "two agents report with its token" : null],
    ["created", Show.instant(node.createdAt)]
  ])

const linkSpeed = Inputs.speed("link-speed", "What its link carries at most; faster reports are not counted")

const create = Verb.verb("create", {
  description: "Create a node; `vpnmgr token create` then makes its agent's key",
  examples: ["vpnmgr node create --description fra-1 --geo DE --link-speed 1Gbit"],
  flags: {
    description: Inputs.text("description", "text", "What to call it"),
    geo: Inputs.text("geo", "text", "Where it stands"),
    purpose: Inputs.text("purpose", "text", "What it is for"),
    linkSpeed
  },
  headers: "create",
  call: (client, payload) => client.nodes.create({ payload: present(payload), ...both }),
  view: one
})

const list = Verb.list("list", {
  description: "List nodes",
  examples: ["vpnmgr node list", ["vpnmgr node list --active no", "Those that do not report"]],
  flags: {
    geo: Inputs.text("geo", "text", "Only what stands there"),
    purpose: Inputs.text("purpose", "text", "Only what is for that"),
    active: Inputs.truth("active", "Only what reports, or does not"),
    search: Inputs.text("search", "text", "Only with this in the description")
  },
  call: (client, filters, page) => client.nodes.list({ query: { ...page, ...filters }, ...both }),
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

const change = Verb.verb("change", {
  description: "Change a node; what is left out stays",
  examples: ["vpnmgr node change 01994a40 --description fra-1 --link-speed 10Gbit"],
  flags: {
    node: Inputs.it("node"),
    description: Inputs.clearable("description", "text", "What to call it"),
    geo: Inputs.clearable("geo", "text", "Where it stands"),
    purpose: Inputs.clearable("purpose", "text", "What it is for"),
    linkSpeed
  },
  headers: "change",
  call: (client, { node, ...payload }) =>
    client.nodes.change({ params: { id: node }, payload: present(payload), ...both }),
  view: one
})

const remove = Verb.verb("delete", {
  description: "Delete a node that has no inbounds any more; its tokens are revoked",
  examples: [["vpnmgr node delete 01994a40", "Once `vpnmgr node show` says that no changes are pending"]],
  flags: { node: Inputs.it("node") },
  headers: "change",
  confirm: ({ node }) => `Delete the node ${node.text}? Traffic its agent still holds is lost.`,
  call: (client, { node }) => client.nodes.remove({ params: { id: node }, ...both }),
  view: (_, __, { node }) => `Node ${node} is deleted.`
})

/** The noun with its verbs. */
export const node = Command.make("node").pipe(
  Command.withDescription("Servers that carry traffic"),
  Command.withSubcommands([create, list, show, change, remove])
)
