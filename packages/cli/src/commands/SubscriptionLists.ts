/** Lists of subscriptions: all, an inbound's, and an export of either's kind. */
import type { Subscriptions } from "@vpnmgr/api"
import { SubscriptionList } from "@vpnmgr/core"
import { Flag } from "effect/cli"
import { both } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import type { Column } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

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
  sort: Inputs.oneOf("sort", SubscriptionList.Sort.literals, "By what; - before it descends, written --sort=-title")
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

const columns: ReadonlyArray<Column<Subscriptions.SubscriptionSummary>> = [
  ["id", (each) => each.id],
  ["title", (each) => each.title ?? ""],
  ["state", (each) => each.state.replace("_", " ")],
  ["used", (each) => Show.usedOf(each.usedBytes, each.maxTraffic)],
  ["window ends", (each) => Show.instant(each.windowEnd)],
  ["expires", (each) => Show.instant(each.expiresAt)]
]

/** `vpnmgr subscription list`. */
export const list = Verb.list("list", {
  description: "List subscriptions",
  examples: [
    "vpnmgr subscription list",
    ["vpnmgr subscription list --state over_limit --sort=-created_at", "Who ran dry, the newest first"],
    ["vpnmgr subscription list --all --json", "Every one, one a line"]
  ],
  flags: filters,
  call: (client, given, page) => client.subscriptions.list({ query: { ...page, ...queryOf(given) }, ...both }),
  columns,
  none: "There are no subscriptions. `vpnmgr subscription create` makes one."
})

/** `vpnmgr subscription export`. */
export const exported = Verb.exporting({
  description: "Export subscriptions: all that the list would show, as a stream",
  examples: [
    ["vpnmgr subscription export --format csv --output subscriptions.csv", "For a spreadsheet"],
    "vpnmgr subscription export --state over_limit"
  ],
  flags: filters,
  call: (client, given, format) => client.subscriptions.export({ query: { format, ...queryOf(given) } })
})

const { inbound: _, ...filtersOfInbound } = filters

/** `vpnmgr inbound subscriptions`. */
export const ofInbound = Verb.list("subscriptions", {
  description: "List the subscriptions that are linked to an inbound",
  examples: ["vpnmgr inbound subscriptions 01994a42 --state active"],
  flags: { it: Inputs.it("inbound"), ...filtersOfInbound },
  call: (client, { it, ...given }, page) => {
    const { inbound_id: __, ...query } = queryOf({ ...given, inbound: undefined })
    return client.subscriptions.ofInbound({ params: { id: it }, query: { ...page, ...query }, ...both })
  },
  columns,
  none: "No subscription is linked to it."
})
