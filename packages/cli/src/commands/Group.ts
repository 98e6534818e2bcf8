/** `vpnmgr group`: limits granted to users. */
import type { User } from "@vpnmgr/core"
import { Console, Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { ask, both, present, withServer } from "../client/Answer.ts"
import { Json } from "../GlobalFlags.ts"
import { showBytes, showSpeed } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { fields, table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"

const one = (group: User.Group): string =>
  fields([
    ["id", group.id],
    ["name", group.name],
    ...Show.limits(group),
    ["created", Show.instant(group.createdAt)],
    ["changed", Show.instant(group.updatedAt)]
  ])

const create = Command.make(
  "create",
  { name: Argument.String("name").pipe(Argument.withDescription("What to call it")), ...Inputs.limits },
  (payload) => ask((client) => client.groups.create({ payload: present(payload), ...both }), one)
).pipe(
  Command.withDescription("Create a group; a limit left out is unlimited"),
  Command.withExamples([
    {
      command: "vpnmgr group create basic --max-traffic 100GB --max-speed 50Mbit --traffic-reset-period P1M",
      description: "100 GB a month at 50 Mbit/s, for each of its users"
    }
  ])
)

const list = Command.make("list", Inputs.page, (query) =>
  ask(
    (client) => client.groups.list({ query, ...both }),
    ({ items, nextCursor }) =>
      table(
        [
          ["id", (group) => group.id],
          ["name", (group) => group.name],
          ["max traffic", (group) => showBytes(group.maxTraffic)],
          ["max speed", (group) => showSpeed(group.maxSpeed)],
          ["starts anew", (group) => group.trafficResetPeriod ?? "never"]
        ],
        items,
        "There are no groups. `vpnmgr group create NAME` makes one."
      ) + Show.more(nextCursor)
  )
).pipe(Command.withDescription("List groups"), Command.withExamples([{ command: "vpnmgr group list" }]))

const show = Command.make("show", { id: Inputs.id("group") }, ({ id }) =>
  ask((client) => client.groups.get({ params: { id }, ...both }), one)
).pipe(
  Command.withDescription("Show a group"),
  Command.withExamples([{ command: "vpnmgr group show 01994a3f-77aa-7e01-8c11-5e6f7a8b9c0d" }])
)

const change = Command.make(
  "change",
  { id: Inputs.id("group"), name: Inputs.text("name", "text", "What to call it"), ...Inputs.limits },
  ({ id, ...payload }) =>
    ask((client) => client.groups.change({ params: { id }, payload: present(payload), ...both }), one)
).pipe(
  Command.withDescription("Change a group; what is left out stays"),
  Command.withExamples([
    { command: "vpnmgr group change 01994a3f-77aa-7e01-8c11-5e6f7a8b9c0d --max-traffic unlimited" }
  ])
)

const remove = Command.make(
  "delete",
  { id: Inputs.id("group") },
  Effect.fn(function* ({ id }) {
    yield* withServer(({ client }) => client.groups.remove({ params: { id } }))
    if (!(yield* Json)) yield* Console.log(`Group ${id} is deleted.`)
  })
).pipe(
  Command.withDescription("Delete a group; its users lose what it granted"),
  Command.withExamples([{ command: "vpnmgr group delete 01994a3f-77aa-7e01-8c11-5e6f7a8b9c0d" }])
)

/** The noun with its verbs. */
export const group = Command.make("group").pipe(
  Command.withDescription("Limits granted to users"),
  Command.withSubcommands([create, list, show, change, remove])
)
