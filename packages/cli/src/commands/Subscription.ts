/** `vpnmgr subscription`: what end-users have. */
import type { SubscriptionList } from "@vpnmgr/core"
import { Command, Flag } from "effect/cli"
import { both, present } from "../client/Answer.ts"
import { showBytes } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import { linkOf, one } from "./SubscriptionView.ts"
import * as Verb from "./Verb.ts"

const it = { subscription: Inputs.it("subscription") }

const chosen = {
  title: Inputs.clearable("title", "text", "What the client's app calls it"),
  description: Inputs.clearable("description", "text", "A note for administrators"),
  ownerId: Inputs.clearableReference("user", "The user whose allowance it draws from", "owner"),
  expiresAt: Inputs.end("expires-at", "When it ends"),
  ...Inputs.limits
}

const create = Verb.verb("create", {
  description: "Create a subscription; a limit left out is unlimited",
  examples: [
    [
      "vpnmgr subscription create --title Ada --max-traffic 10GB --traffic-reset-period P1M --expires-at 365d",
      "10 GB a month, for a year"
    ],
    ["vpnmgr subscription create --owner bob --inbound 01994a42", "On an operator's allowance"]
  ],
  flags: { ...chosen, inboundIds: Inputs.references("inbound", "An inbound it may use") },
  headers: "create",
  call: (client, payload) => client.subscriptions.create({ payload: present(payload), ...both }),
  view: one
})

const sorts = [
  "id",
  "-id",
  "title",
  "-title",
  "created_at",
  "-created_at",
  "expires_at",
  "-expires_at"
] as const satisfies ReadonlyArray<SubscriptionList.Sort>

/** What narrows and sorts a list, and an export of it. */
const filters = {
  state: Inputs.oneOf("state", ["active", "suspended", "expired", "over_limit"], "Only in this state"),
  owner: Inputs.optionalReference("user", "Only of this owner; none: those without one", "owner").pipe(
    Flag.map((value) => (value?.text === "none" ? null : value))
  ),
  inbound: Inputs.optionalReference("inbound", "Only linked to this inbound"),
  node: Inputs.optionalReference("node", "Only linked to an inbound of this node"),
  expiresBefore: Inputs.moment("expires-before", "Only what ends before"),
  search: Inputs.text("search", "text", "Only with this in the title or the description, or at the id's beginning"),
  sort: Inputs.oneOf("sort", sorts, "By what; - before it descends, written --sort=-title")
}

interface Filters {
  readonly owner: string | null | undefined
  readonly inbound: string | undefined
  readonly node: string | undefined
  readonly expiresBefore: number | undefined
}

const queryOf = <F extends Filters>({ expiresBefore, inbound, node, owner, ...rest }: F) => ({
  ...rest,
  owner_id: owner === null ? "none" : owner,
  inbound_id: inbound,
  node_id: node,
  expires_before: expiresBefore
})

const list = Verb.list("list", {
  description: "List subscriptions",
  examples: [
    "vpnmgr subscription list",
    ["vpnmgr subscription list --state over_limit --sort=-created_at", "Who ran dry, the newest first"],
    ["vpnmgr subscription list --all --json", "Every one, one a line"]
  ],
  flags: filters,
  call: (client, given, page) => client.subscriptions.list({ query: { ...page, ...queryOf(given) }, ...both }),
  columns: [
    ["id", (each) => each.id],
    ["title", (each) => each.title ?? ""],
    ["state", (each) => each.state.replace("_", " ")],
    ["used", (each) => Show.usedOf(each.usedBytes, each.maxTraffic)],
    ["window ends", (each) => Show.instant(each.windowEnd)],
    ["expires", (each) => Show.instant(each.expiresAt)]
  ],
  none: "There are no subscriptions. `vpnmgr subscription create` makes one."
})

const exported = Verb.exporting({
  description: "Export subscriptions: all that the list would show, as a stream",
  examples: [
    ["vpnmgr subscription export --format csv --output subscriptions.csv", "For a spreadsheet"],
    "vpnmgr subscription export --state over_limit"
  ],
  flags: filters,
  call: (client, given, format) => client.subscriptions.export({ query: { format, ...queryOf(given) } })
})

const show = Verb.verb("show", {
  description: "Show a subscription: its state, its usage, its link, the nodes that serve it",
  examples: ["vpnmgr subscription show 01994a43"],
  flags: it,
  call: (client, { subscription }) => client.subscriptions.get({ params: { id: subscription }, ...both }),
  view: one
})

const change = Verb.verb("change", {
  description: "Change a subscription; what is left out stays",
  examples: ["vpnmgr subscription change 01994a43 --max-traffic 50GiB"],
  flags: { ...it, ...chosen, inboundIds: Inputs.references("inbound", "An inbound it may use from now on") },
  headers: "change",
  call: (client, { inboundIds, subscription, ...rest }) => {
    const payload = inboundIds.length === 0 ? rest : { ...rest, inboundIds }
    return client.subscriptions.change({ params: { id: subscription }, payload: present(payload), ...both })
  },
  view: one
})

const setInbounds = Verb.verb("set-inbounds", {
  description: "Replace the inbounds a subscription may use; none takes all away",
  examples: ["vpnmgr subscription set-inbounds 01994a43 --inbound 01994a42 --inbound 01994a44"],
  flags: { ...it, inboundIds: Inputs.references("inbound", "An inbound it may use from now on") },
  headers: "change",
  call: (client, { inboundIds, subscription }) =>
    client.subscriptions.setInbounds({ params: { id: subscription }, payload: { inboundIds }, ...both }),
  view: one
})

const address = Verb.verb("link", {
  description: "Print the address of a subscription's config and nothing else",
  examples: ["vpnmgr subscription link 01994a43"],
  flags: it,
  call: (client, { subscription }) => client.subscriptions.get({ params: { id: subscription }, ...both }),
  view: linkOf,
  isBare: true
})

const act = <const Name extends "suspend" | "resume" | "reset" | "rotate">(
  name: Name,
  description: string,
  warning?: string
) =>
  Verb.verb(name, {
    description,
    examples: [`vpnmgr subscription ${name} 01994a43${warning === undefined ? "" : " --yes"}`],
    flags: it,
    headers: "act",
    confirm: ({ subscription }) => (warning === undefined ? null : `${warning.replace("%", subscription.text)}`),
    call: (client, { subscription }) => client.subscriptions[name]({ params: { id: subscription }, ...both }),
    view: one
  })

const remove = Verb.verb("delete", {
  description: "Delete a subscription: its config and its credential stop working",
  examples: [
    "vpnmgr subscription delete 01994a43",
    ["vpnmgr subscription delete 01994a43 --yes", "Without being asked"]
  ],
  flags: it,
  headers: "change",
  confirm: ({ subscription }) =>
    `Delete the subscription ${subscription.text}? Its config and its credential stop working.`,
  call: (client, { subscription }) => client.subscriptions.remove({ params: { id: subscription }, ...both }),
  view: (_, __, { subscription }) => `Subscription ${subscription} is deleted.`
})

const usage = Verb.verb("usage", {
  description: "Show what a subscription used, hour by hour and inbound by inbound; the last seven days",
  examples: ["vpnmgr subscription usage 01994a43 --from 2026-01-01T00:00:00Z"],
  flags: {
    ...it,
    from: Inputs.moment("from", "The first moment that counts"),
    to: Inputs.moment("to", "The first moment that does not")
  },
  call: (client, { subscription, ...query }) =>
    client.subscriptions.usage({ params: { id: subscription }, query, ...both }),
  view: ({ from, items, to }) =>
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
})

/** The noun with its verbs. */
export const subscription = Command.make("subscription").pipe(
  Command.withAlias("sub"),
  Command.withDescription("What end-users have: limits, links, usage"),
  Command.withSubcommands([
    create,
    list,
    exported,
    show,
    change,
    setInbounds,
    address,
    act("suspend", "Suspend a subscription: every node blocks it, its config answers 403"),
    act("resume", "Resume a suspended subscription"),
    act("reset", "Start a subscription's usage anew at this moment"),
    act(
      "rotate",
      "Give a subscription another link and another credential: the old ones stop working",
      "Rotate the subscription %? Its link and the config it has now stop working."
    ),
    remove,
    usage
  ])
)
