/** `vpnmgr group`: limits granted to users. */
import type { User } from "@vpnmgr/core"
import { Argument, Command } from "effect/cli"
import { both, present } from "../client/Answer.ts"
import { showBytes, showSpeed } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { fields } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const one = (group: User.Group): string =>
  fields([
    ["id", group.id],
    ["name", group.name],
    ...Show.limits(group),
    ["created", Show.instant(group.createdAt)],
    ["changed", Show.instant(group.updatedAt)]
  ])

const create = Verb.verb("create", {
  description: "Create a group; a limit left out is unlimited",
  examples: [
    [
      "vpnmgr group create basic --max-traffic 100GB --max-speed 50Mbit --traffic-reset-period P1M",
      "100 GB a month at 50 Mbit/s, for each of its users"
    ]
  ],
  flags: { name: Argument.String("name").pipe(Argument.withDescription("What to call it")), ...Inputs.limits },
  headers: "create",
  call: (client, payload) => client.groups.create({ payload: present(payload), ...both }),
  view: one
})

const list = Verb.list("list", {
  description: "List groups",
  examples: ["vpnmgr group list", ["vpnmgr group list --all --json", "Every group, one a line, for programs"]],
  flags: { search: Inputs.text("search", "text", "Only with this in the name") },
  call: (client, filters, page) => client.groups.list({ query: { ...page, ...filters }, ...both }),
  columns: [
    ["id", (group) => group.id],
    ["name", (group) => group.name],
    ["max traffic", (group) => showBytes(group.maxTraffic)],
    ["max speed", (group) => showSpeed(group.maxSpeed)],
    ["starts anew", (group) => group.trafficResetPeriod ?? "never"]
  ],
  none: "There are no groups. `vpnmgr group create NAME` makes one."
})

const show = Verb.verb("show", {
  description: "Show a group",
  examples: ["vpnmgr group show basic"],
  flags: { group: Inputs.it("group") },
  call: (client, { group }) => client.groups.get({ params: { id: group }, ...both }),
  view: one
})

const change = Verb.verb("change", {
  description: "Change a group; what is left out stays",
  examples: [
    "vpnmgr group change basic --max-traffic unlimited",
    ["vpnmgr group change 01994a3f --name standard", "By the beginning of its id"]
  ],
  flags: { group: Inputs.it("group"), name: Inputs.text("name", "text", "What to call it"), ...Inputs.limits },
  headers: "change",
  call: (client, { group, ...payload }) =>
    client.groups.change({ params: { id: group }, payload: present(payload), ...both }),
  view: one
})

const remove = Verb.verb("delete", {
  description: "Delete a group; its users lose what it granted",
  examples: ["vpnmgr group delete basic", ["vpnmgr group delete basic --yes", "Without being asked"]],
  flags: { group: Inputs.it("group") },
  headers: "change",
  confirm: ({ group }) => `Delete the group ${group.text}? Its users lose what it granted.`,
  call: (client, { group }) => client.groups.remove({ params: { id: group }, ...both }),
  view: ({ overLimit, unrestricted, users }, _, { group }) =>
    [
      `Group ${group} is deleted. ${users} ${users === 1 ? "user was" : "users were"} in it.`,
      ...(unrestricted === 0 ? [] : [`Nothing restricts ${unrestricted} of them now.`]),
      ...(overLimit === 0 ? [] : [`${overLimit} of them are over their limit now.`])
    ].join(" ")
})

/** The noun with its verbs. */
export const group = Command.make("group").pipe(
  Command.withDescription("Limits granted to users"),
  Command.withSubcommands([create, list, show, change, remove])
)
