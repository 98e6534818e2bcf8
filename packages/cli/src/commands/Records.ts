/** `vpnmgr audit` and `vpnmgr quarantine`: what superusers watch. */
import { Command } from "effect/cli"
import { both } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const audited = Verb.list("list", {
  description: "List who changed what, newest first",
  examples: ["vpnmgr audit list --target-type subscription --from 2026-01-01T00:00:00Z"],
  flags: {
    actor: Inputs.optionalReference("user", "Only by this user", "actor"),
    target: Inputs.optionalId("target", "Only of this thing"),
    targetType: Inputs.text("target-type", "noun", "Only of things of this kind, such as subscription"),
    from: Inputs.moment("from", "The first moment to show"),
    to: Inputs.moment("to", "The first moment not to show")
  },
  call: (client, { actor, from, target, targetType, to }, page) =>
    client.audit.list({
      query: { ...page, actor_id: actor, target_id: target, target_type: targetType, from, to },
      ...both
    }),
  columns: [
    ["when", (record) => Show.instant(record.timestamp)],
    ["actor", (record) => record.actorId],
    ["action", (record) => record.action],
    ["target", (record) => record.targetId]
  ],
  none: "Nothing was changed."
})

/** The noun with its verb. */
export const audit = Command.make("audit").pipe(
  Command.withDescription("The trail of every change"),
  Command.withSubcommands([audited])
)

const quarantined = Verb.list("list", {
  description: "List reported traffic that was not counted, with the reason",
  examples: ["vpnmgr quarantine list"],
  flags: {},
  call: (client, _, query) => client.quarantine.list({ query, ...both }),
  columns: [
    ["received", (entry) => Show.instant(entry.receivedAt)],
    ["node", (entry) => entry.nodeId],
    ["reason", (entry) => entry.reason.replaceAll("_", " ")],
    ["up", (entry) => String(entry.bytesUp)],
    ["down", (entry) => String(entry.bytesDown)],
    ["id", (entry) => entry.id]
  ],
  none: "Everything that was reported was counted."
})

/** The noun with its verb. */
export const quarantine = Command.make("quarantine").pipe(
  Command.withDescription("Reported traffic that was not counted"),
  Command.withSubcommands([quarantined])
)
