/** `vpnmgr subscription`: what end-users have. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { ask, both, present, withServer } from "../client/Answer.ts"
import { Json } from "../GlobalFlags.ts"
import { showBytes } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import { linkOf, one } from "./SubscriptionView.ts"

const example = "01994a43-1234-7abc-8def-0123456789ab"

const chosen = {
  title: Inputs.clearable("title", "text", "What the client's app calls it"),
  description: Inputs.clearable("description", "text", "A note for administrators"),
  ownerId: Inputs.clearable("owner", "id", "The user whose allowance it draws from"),
  expiresAt: Inputs.end("expires-at", "When it ends"),
  ...Inputs.limits
}

const create = Command.make(
  "create",
  { ...chosen, inboundIds: Inputs.ids("inbound", "An inbound it may use") },
  (payload) => ask((client) => client.subscriptions.create({ payload: present(payload), ...both }), one)
).pipe(
  Command.withDescription("Create a subscription; a limit left out is unlimited"),
  Command.withExamples([
    {
      command: "vpnmgr subscription create --title Ada --max-traffic 10GB --traffic-reset-period P1M --expires-at 365d",
      description: "10 GB a month, for a year"
    }
  ])
)

const list = Command.make("list", Inputs.page, (query) =>
  ask(
    (client) => client.subscriptions.list({ query, ...both }),
    ({ items, nextCursor }) =>
      table(
        [
          ["id", (each) => each.id],
          ["title", (each) => each.title ?? ""],
          ["state", (each) => each.state.replace("_", " ")],
          ["used", (each) => Show.usedOf(each.usedBytes, each.maxTraffic)],
          ["window ends", (each) => Show.instant(each.windowEnd)],
          ["expires", (each) => Show.instant(each.expiresAt)]
        ],
        items,
        "There are no subscriptions. `vpnmgr subscription create` makes one."
      ) + Show.more(nextCursor)
  )
).pipe(Command.withDescription("List subscriptions"), Command.withExamples([{ command: "vpnmgr subscription list" }]))

const show = Command.make("show", { id: Inputs.id("subscription") }, ({ id }) =>
  ask((client) => client.subscriptions.get({ params: { id }, ...both }), one)
).pipe(
  Command.withDescription("Show a subscription: its state, its usage, its link, the nodes that serve it"),
  Command.withExamples([{ command: `vpnmgr subscription show ${example}` }])
)

const change = Command.make(
  "change",
  { id: Inputs.id("subscription"), ...chosen, inboundIds: Inputs.ids("inbound", "An inbound it may use from now on") },
  ({ id, inboundIds, ...rest }) => {
    const payload = inboundIds.length === 0 ? rest : { ...rest, inboundIds }
    return ask((client) => client.subscriptions.change({ params: { id }, payload: present(payload), ...both }), one)
  }
).pipe(
  Command.withDescription("Change a subscription; what is left out stays"),
  Command.withExamples([{ command: `vpnmgr subscription change ${example} --max-traffic 50GiB` }])
)

const link = Command.make("link", { id: Inputs.id("subscription") }, ({ id }) =>
  ask((client) => client.subscriptions.get({ params: { id }, ...both }), linkOf)
).pipe(
  Command.withDescription("Print the address of a subscription's config and nothing else"),
  Command.withExamples([{ command: `vpnmgr subscription link ${example}` }])
)

const act = (verb: "suspend" | "resume" | "reset" | "rotate", description: string) =>
  Command.make(verb, { id: Inputs.id("subscription") }, ({ id }) =>
    ask((client) => client.subscriptions[verb]({ params: { id }, ...both }), one)
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([{ command: `vpnmgr subscription ${verb} ${example}` }])
  )

const remove = Command.make(
  "delete",
  { id: Inputs.id("subscription") },
  Effect.fn(function* ({ id }) {
    yield* withServer(({ client }) => client.subscriptions.remove({ params: { id } }))
    if (!(yield* Json)) yield* Console.log(`Subscription ${id} is deleted.`)
  })
).pipe(
  Command.withDescription("Delete a subscription: its config and its credential stop working"),
  Command.withExamples([{ command: `vpnmgr subscription delete ${example}` }])
)

const usage = Command.make(
  "usage",
  {
    id: Inputs.id("subscription"),
    from: Inputs.moment("from", "The first moment that counts"),
    to: Inputs.moment("to", "The first moment that does not")
  },
  ({ id, ...query }) =>
    ask(
      (client) => client.subscriptions.usage({ params: { id }, query, ...both }),
      ({ from, items, to }) =>
        table(
          [
            ["from", (piece) => Show.instant(piece.at)],
            ["inbound", (piece) => piece.inboundId],
            ["up", (piece) => showBytes(piece.bytesUp)],
            ["down", (piece) => showBytes(piece.bytesDown)],
            ["counted", (piece) => showBytes(piece.usedBytes)]
          ],
          items,
          `Nothing was reported from ${Show.instant(from)} to ${Show.instant(to)}.`
        )
    )
).pipe(
  Command.withDescription("Show what a subscription used, hour by hour and inbound by inbound; the last seven days"),
  Command.withExamples([{ command: `vpnmgr subscription usage ${example} --from 2026-01-01T00:00:00Z` }])
)

/** The noun with its verbs. */
export const subscription = Command.make("subscription").pipe(
  Command.withAlias("sub"),
  Command.withDescription("What end-users have: limits, links, usage"),
  Command.withSubcommands([
    create,
    list,
    show,
    change,
    link,
    act("suspend", "Suspend a subscription: every node blocks it, its config answers 403"),
    act("resume", "Resume a suspended subscription"),
    act("reset", "Start a subscription's usage anew at this moment"),
    act("rotate", "Give a subscription another link and another credential: the old ones stop working"),
    remove,
    usage
  ])
)
