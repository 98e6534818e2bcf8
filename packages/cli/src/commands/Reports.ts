/** `vpnmgr traffic-report`, `access-log` and `report-conflict`: what nodes reported, row by row. */
import type { RecordStore } from "@vpnmgr/core"
import { Command } from "effect/cli"
import { both } from "../client/Answer.ts"
import { showBytes } from "../output/Amount.ts"
import * as Show from "../output/Show.ts"
import { fields, table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const places = {
  subscription: Inputs.optionalReference("subscription", "Only of this subscription"),
  inbound: Inputs.optionalReference("inbound", "Only at this inbound"),
  node: Inputs.optionalReference("node", "Only of this node"),
  ...Inputs.between
}

interface Places {
  readonly subscription: string | undefined
  readonly inbound: string | undefined
  readonly node: string | undefined
  readonly from: number | undefined
  readonly to: number | undefined
}

const placesOf = ({ from, inbound, node, subscription, to }: Places) => ({
  subscription_id: subscription,
  inbound_id: inbound,
  node_id: node,
  from,
  to
})

const reports = Verb.list("list", {
  description: "List single reports of traffic, newest first, as long as they are kept",
  examples: ["vpnmgr traffic-report list --subscription 01994a43 --from 2026-01-01T00:00:00Z"],
  flags: places,
  call: (client, given, page) => client.trafficReports.list({ query: { ...page, ...placesOf(given) }, ...both }),
  columns: [
    ["from", (report) => Show.instant(report.from)],
    ["to", (report) => Show.instant(report.timestamp)],
    ["subscription", (report) => report.subscriptionId],
    ["inbound", (report) => report.inboundId],
    ["up", (report) => showBytes(report.bytesUp)],
    ["down", (report) => showBytes(report.bytesDown)]
  ],
  none: "Nothing was reported."
})

const exportedReports = Verb.exporting({
  description: "Export single reports of traffic, newest first, as a stream",
  examples: ["vpnmgr traffic-report export --node 01994a40 --format csv --output reports.csv"],
  flags: places,
  call: (client, given, format) => client.trafficReports.export({ query: { format, ...placesOf(given) } })
})

/** The noun with its verbs. */
export const trafficReport = Command.make("traffic-report").pipe(
  Command.withDescription("What nodes counted, interval by interval"),
  Command.withSubcommands([reports, exportedReports])
)

const uses = { ...places, token: Inputs.optionalId("token", "Only what was reported with this node token") }

const log = Verb.list("list", {
  description: "List spans of use, newest first: who used what inbound when, never from where",
  examples: ["vpnmgr access-log list --node 01994a40 --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z"],
  flags: uses,
  call: (client, { token, ...given }, page) =>
    client.accessLog.list({ query: { ...page, ...placesOf(given), auth_token_id: token }, ...both }),
  columns: [
    ["began", (span) => Show.instant(span.timestamp)],
    ["ended", (span) => Show.instant(span.endedAt)],
    ["subscription", (span) => span.subscriptionId],
    ["inbound", (span) => span.inboundId],
    ["up", (span) => showBytes(span.bytesUp)],
    ["down", (span) => showBytes(span.bytesDown)]
  ],
  none: "Nothing was used."
})

const exportedLog = Verb.exporting({
  description: "Export spans of use, newest first, as a stream",
  examples: ["vpnmgr access-log export --subscription 01994a43 --output uses.ndjson"],
  flags: uses,
  call: (client, { token, ...given }, format) =>
    client.accessLog.export({ query: { format, ...placesOf(given), auth_token_id: token } })
})

/** The noun with its verbs. */
export const accessLog = Command.make("access-log").pipe(
  Command.withDescription("Spans of use, without addresses"),
  Command.withSubcommands([log, exportedLog])
)

const conflicts = Verb.list("list", {
  description: "List batches whose number was taken by one with other contents, newest first",
  examples: ["vpnmgr report-conflict list --node 01994a40"],
  flags: { node: Inputs.optionalReference("node", "Only of this node"), ...Inputs.between },
  call: (client, { from, node, to }, page) =>
    client.reportConflicts.list({ query: { ...page, node_id: node, from, to }, ...both }),
  columns: [
    ["id", (batch) => batch.id],
    ["received", (batch) => Show.instant(batch.receivedAt)],
    ["node", (batch) => batch.nodeId],
    ["spool", (batch) => batch.spool],
    ["number", (batch) => String(batch.seq)]
  ],
  none: "No batch was set aside."
})

const oneConflict = ({ entries, ...batch }: RecordStore.ConflictBatch): string =>
  [
    fields([
      ["id", batch.id],
      ["node", batch.nodeId],
      ["token", batch.tokenId],
      ["spool", batch.spool],
      ["number", String(batch.seq)],
      ["digest", batch.digest],
      ["received", Show.instant(batch.receivedAt)],
      ["from", Show.instant(batch.from)],
      ["to", Show.instant(batch.to)]
    ]),
    table(
      [
        ["credential", (entry) => String(entry.credential)],
        ["inbound", (entry) => String(entry.inbound)],
        ["up", (entry) => String(entry.bytesUp)],
        ["down", (entry) => String(entry.bytesDown)]
      ],
      entries,
      "It has no entries."
    )
  ].join("\n\n")

const conflict = Verb.verb("show", {
  description: "Show a batch that was set aside, with every entry",
  examples: ["vpnmgr report-conflict show 01994a46-1234-7abc-8def-0123456789ab"],
  flags: { id: Inputs.id("batch", "report-conflict list") },
  call: (client, { id }) => client.reportConflicts.get({ params: { id }, ...both }),
  view: oneConflict
})

/** The noun with its verbs. */
export const reportConflict = Command.make("report-conflict").pipe(
  Command.withDescription("Batches set aside: their number was taken"),
  Command.withSubcommands([conflicts, conflict])
)
