/** `vpnmgr quarantine`: reported traffic that was not counted, and what becomes of it. */
import type { QuarantineStore, Usage } from "@vpnmgr/core"
import { Command } from "effect/cli"
import { both, present } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import { fields } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const example = "01994a45-1234-7abc-8def-0123456789ab"

const reasonOf = ({ reason }: Pick<QuarantineStore.QuarantineRecord, "reason">): string => reason.replaceAll("_", " ")

const one = (entry: QuarantineStore.QuarantineRecord): string =>
  fields([
    ["id", entry.id],
    ["node", entry.nodeId],
    ["received", Show.instant(entry.receivedAt)],
    ["from", Show.instant(entry.from)],
    ["to", Show.instant(entry.to)],
    ["reason", reasonOf(entry)],
    ["credential", `number ${entry.credential}`],
    ["inbound", `number ${entry.inbound}`],
    ["up", `${entry.bytesUp} B`],
    ["down", `${entry.bytesDown} B`],
    ["state", entry.state],
    ["resolved", entry.resolvedAt === null ? null : `${Show.instant(entry.resolvedAt)} by ${entry.resolvedBy}`],
    ["counted for", entry.subscriptionId === null ? null : `subscription ${entry.subscriptionId}`],
    ["at", entry.inboundId === null ? null : `inbound ${entry.inboundId}`]
  ])

/** Every reason; the compiler misses one that is left out. */
const reasons: Readonly<Record<Usage.QuarantineReason, true>> = {
  negative: true,
  faster_than_link: true,
  unknown_inbound: true,
  foreign_inbound: true,
  unknown_credential: true,
  unassigned_credential: true,
  never_linked: true
}

const filters = {
  node: Inputs.optionalReference("node", "Only of this node"),
  reason: Inputs.oneOf("reason", Object.keys(reasons) as Array<Usage.QuarantineReason>, "Only for this reason"),
  state: Inputs.oneOf("state", ["open", "applied", "dismissed"], "Only what this became of"),
  ...Inputs.between
}

const list = Verb.list("list", {
  description: "List reported traffic that was not counted, with the reason, newest first",
  examples: ["vpnmgr quarantine list --state open", "vpnmgr quarantine list --node 01994a40 --reason negative"],
  flags: filters,
  call: (client, { node, ...query }, page) =>
    client.quarantine.list({ query: { ...page, ...query, node_id: node }, ...both }),
  columns: [
    ["id", (entry) => entry.id],
    ["received", (entry) => Show.instant(entry.receivedAt)],
    ["node", (entry) => entry.nodeId],
    ["reason", reasonOf],
    ["up", (entry) => String(entry.bytesUp)],
    ["down", (entry) => String(entry.bytesDown)],
    ["state", (entry) => entry.state]
  ],
  none: "Everything that was reported was counted."
})

const exported = Verb.exporting({
  description: "Export the quarantine, newest first, as a stream",
  examples: ["vpnmgr quarantine export --state open --format csv"],
  flags: filters,
  call: (client, { node, ...query }, format) => client.quarantine.export({ query: { format, ...query, node_id: node } })
})

const it = { id: Inputs.id("quarantined entry", "quarantine list") }

const show = Verb.verb("show", {
  description: "Show an entry as the node reported it",
  examples: [`vpnmgr quarantine show ${example}`],
  flags: it,
  call: (client, { id }) => client.quarantine.get({ params: { id }, ...both }),
  view: one
})

const apply = Verb.verb("apply", {
  description: "Count an entry after all, once; name what its numbers do not say",
  examples: [
    `vpnmgr quarantine apply ${example} --yes`,
    [`vpnmgr quarantine apply ${example} --subscription 01994a43 --inbound 01994a42`, "Saying for whom, and where"]
  ],
  flags: {
    ...it,
    subscriptionId: Inputs.optionalReference("subscription", "The subscription it is counted for"),
    inboundId: Inputs.optionalReference("inbound", "The inbound it is counted at")
  },
  headers: "create",
  confirm: ({ id }) => `Count the entry ${id}? It cannot be taken back.`,
  call: (client, { id, ...payload }) => client.quarantine.apply({ params: { id }, payload: present(payload), ...both }),
  view: one
})

const dismiss = Verb.verb("dismiss", {
  description: "Put an entry aside for ever: it is kept and never counted",
  examples: [`vpnmgr quarantine dismiss ${example} --yes`],
  flags: it,
  headers: "create",
  confirm: ({ id }) => `Dismiss the entry ${id}? It is never counted then.`,
  call: (client, { id }) => client.quarantine.dismiss({ params: { id }, ...both }),
  view: one
})

/** The noun with its verbs. */
export const quarantine = Command.make("quarantine").pipe(
  Command.withDescription("Reported traffic that was not counted"),
  Command.withSubcommands([list, exported, show, apply, dismiss])
)
