/** `vpnmgr subscription`: what end-users have. */
import { Command, Flag } from "effect/cli"
import { both, present } from "../client/Answer.ts"
import * as Inputs from "./Inputs.ts"
import { exported, list } from "./SubscriptionLists.ts"
import { linkOf, one } from "./SubscriptionView.ts"
import * as UsageView from "./UsageView.ts"
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

const linked = { ...it, inbound: Inputs.referenceFlag("inbound", "The inbound") }

const linkInbound = Verb.verb("link-inbound", {
  description: "Link one more inbound to a subscription",
  examples: ["vpnmgr subscription link-inbound 01994a43 --inbound 01994a42"],
  flags: linked,
  headers: "change",
  call: (client, { inbound, subscription }) =>
    client.subscriptions.link({ params: { id: subscription, inbound_id: inbound }, ...both }),
  view: one
})

const unlinkInbound = Verb.verb("unlink-inbound", {
  description: "Unlink an inbound from a subscription: its node blocks it there",
  examples: ["vpnmgr subscription unlink-inbound 01994a43 --inbound 01994a42"],
  flags: linked,
  headers: "change",
  call: (client, { inbound, subscription }) =>
    client.subscriptions.unlink({ params: { id: subscription, inbound_id: inbound }, ...both }),
  view: one
})

const extend = Verb.verb("extend", {
  description: "Put a subscription's end off; one that had expired is served again",
  examples: [
    "vpnmgr subscription extend 01994a43 --period P1M",
    ["vpnmgr subscription extend 01994a43 --period P30D --from now", "Thirty days from now, whenever it ended"]
  ],
  flags: {
    ...it,
    period: Flag.String("period").pipe(
      Flag.withMetavar("duration"),
      Flag.withDescription("How long: an ISO 8601 duration such as P30D or P1M")
    ),
    from: Inputs.oneOf(
      "from",
      ["expiry", "now"],
      "From when; by default from its end while that is ahead, else from now"
    )
  },
  headers: "act",
  call: (client, { subscription, ...payload }) =>
    client.subscriptions.extend({ params: { id: subscription }, payload: present(payload), ...both }),
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
  description: "Show what a subscription used: by hour, day, inbound or node, or hour by hour and inbound by inbound",
  examples: [
    "vpnmgr subscription usage 01994a43 --by day --from 2026-01-01T00:00:00Z",
    ["vpnmgr subscription usage 01994a43", "The last seven days, undivided"]
  ],
  flags: {
    ...it,
    by: Inputs.oneOf("by", ["hour", "day", "inbound", "node"], "A row for each of these, instead of undivided pieces"),
    ...UsageView.span
  },
  call: (client, { subscription, ...query }) =>
    client.subscriptions.usage({ params: { id: subscription }, query, ...both }),
  view: UsageView.rows
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
    extend,
    setInbounds,
    linkInbound,
    unlinkInbound,
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
