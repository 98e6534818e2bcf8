/** `vpnmgr node`: servers that carry traffic. */
import type { Nodes } from "@vpnmgr/api"
import { Command, Flag } from "effect/cli"
import { ask, both, present } from "../client/Answer.ts"
import { showSpeed } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { fields, table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"

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

const create = Command.make(
  "create",
  {
    description: Inputs.text("description", "text", "What to call it"),
    geo: Inputs.text("geo", "text", "Where it stands"),
    purpose: Inputs.text("purpose", "text", "What it is for"),
    linkSpeed: Inputs.speed("link-speed", "What its link carries at most; faster reports are not counted")
  },
  (payload) => ask((client) => client.nodes.create({ payload: present(payload), ...both }), one)
).pipe(
  Command.withDescription("Create a node; `vpnmgr token create` then makes its agent's key"),
  Command.withExamples([{ command: "vpnmgr node create --description fra-1 --geo DE --link-speed 1Gbit" }])
)

const list = Command.make("list", Inputs.page, (query) =>
  ask(
    (client) => client.nodes.list({ query, ...both }),
    ({ items, nextCursor }) =>
      table(
        [
          ["id", (node) => node.id],
          ["description", (node) => node.description ?? ""],
          ["geo", (node) => node.geo ?? ""],
          ["active", (node) => Show.yes(node.health.isActive)],
          ["last seen", (node) => Show.instant(node.health.lastSeenAt)],
          ["revision", (node) => `${node.health.servedRevision ?? "none"} of ${node.health.revision}`]
        ],
        items,
        "There are no nodes. `vpnmgr node create` makes one."
      ) + Show.more(nextCursor)
  )
).pipe(Command.withDescription("List nodes"), Command.withExamples([{ command: "vpnmgr node list" }]))

const show = Command.make("show", { id: Inputs.id("node") }, ({ id }) =>
  ask((client) => client.nodes.get({ params: { id }, ...both }), one)
).pipe(
  Command.withDescription("Show a node with what is known of its agent"),
  Command.withExamples([{ command: "vpnmgr node show 01994a40-0c2d-7b1f-b6a0-112233445566" }])
)

/** The noun with its verbs. */
export const node = Command.make("node").pipe(
  Command.withDescription("Servers that carry traffic"),
  Command.withSubcommands([create, list, show])
)

/** `--node`, for what belongs to one. */
export const nodeFlag = Inputs.idFlag("node", "The node it is on").pipe(Flag.withAlias("n"))
