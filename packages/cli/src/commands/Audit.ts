/** `vpnmgr audit`: who changed what. */
import { Command } from "effect/cli"
import { both } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
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

/** The noun with its verbs. */
export const audit = Command.make("audit").pipe(
  Command.withDescription("The trail of every change"),
  Command.withSubcommands([list, exported])
)
