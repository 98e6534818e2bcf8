/** `vpnmgr audit`: who changed what. */
import { Command } from "effect/cli"
import { both } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import { table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const filters = {
  actor: Inputs.optionalReference("user", "Only by this user", "actor"),
  action: Inputs.text("action", "noun.verb", "Only this, such as subscription.suspend"),
  targetType: Inputs.text("target-type", "noun", "Only of things of this kind, such as subscription"),
  target: Inputs.optionalId("target", "Only of this thing"),
  ...Inputs.between
}

interface Filters {
  readonly actor: string | undefined
  readonly action: string | undefined
  readonly targetType: string | undefined
  readonly target: string | undefined
  readonly from: number | undefined
  readonly to: number | undefined
}

const queryOf = ({ actor, target, targetType, ...rest }: Filters) => ({
  ...rest,
  actor_id: actor,
  target_type: targetType,
  target_id: target
})

const list = Verb.list("list", {
  description: "List who changed what, newest first",
  examples: [
    "vpnmgr audit list --target-type subscription --from 2026-01-01T00:00:00Z",
    ["vpnmgr audit list --actor bob --action subscription.delete", "What somebody deleted"]
  ],
  flags: filters,
  call: (client, given, page) => client.audit.list({ query: { ...page, ...queryOf(given) }, ...both }),
  columns: [
    ["when", (record) => Show.instant(record.timestamp)],
    ["actor", (record) => record.actorId],
    ["action", (record) => record.action],
    ["target", (record) => record.targetId]
  ],
  none: "Nothing was changed."
})

const exported = Verb.exporting({
  description: "Export the audit trail, newest first, as a stream",
  examples: ["vpnmgr audit export --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --output january.ndjson"],
  flags: filters,
  call: (client, given, format) => client.audit.export({ query: { format, ...queryOf(given) } })
})

const seals = Verb.list("seals", {
  description: "List the seals of closed days, newest first; keep the newest digest elsewhere",
  examples: ["vpnmgr audit seals --limit 1"],
  flags: Inputs.between,
  call: (client, between, page) => client.audit.seals({ query: { ...page, ...between }, ...both }),
  columns: [
    ["day", (seal) => seal.day],
    ["records", (seal) => String(seal.recordCount)],
    ["digest", (seal) => seal.digest]
  ],
  none: "No day is sealed yet."
})

const verify = Verb.verb("verify", {
  description: "Check the trail against its seals; exit code 1 when a day does not match",
  examples: [
    ["vpnmgr audit verify", "The last seven days"],
    "vpnmgr audit verify --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z"
  ],
  flags: Inputs.between,
  call: (client, query) => client.audit.verify({ query, ...both }),
  view: ({ days }) =>
    table(
      [
        ["day", (each) => each.day],
        ["records", (each) => String(each.recordCount)],
        ["state", (each) => each.state]
      ],
      days,
      "No day of that time is sealed."
    ),
  objection: ({ isIntact }) => (isIntact ? null : "the trail does not match its seals")
})

/** The noun with its verbs. */
export const audit = Command.make("audit").pipe(
  Command.withDescription("The trail of every change"),
  Command.withSubcommands([list, exported, seals, verify])
)
