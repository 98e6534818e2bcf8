/** `vpnmgr audit` and `vpnmgr quarantine`: what superusers watch. */
import { Command, Flag } from "effect/cli"
import { ask, both } from "../client/Answer.ts"
import * as Show from "../output/Show.ts"
import { table } from "../output/Table.ts"
import * as Inputs from "./Inputs.ts"

const optionalId = (name: string, description: string) =>
  Inputs.idFlag(name, description).pipe(
    Flag.map((value): string | undefined => value),
    Flag.withDefault(undefined)
  )

const audited = Command.make(
  "list",
  {
    ...Inputs.page,
    actor: optionalId("actor", "Only by this user"),
    target: optionalId("target", "Only of this thing"),
    targetType: Inputs.text("target-type", "noun", "Only of things of this kind, such as subscription"),
    from: Inputs.moment("from", "The first moment to show"),
    to: Inputs.moment("to", "The first moment not to show")
  },
  ({ actor, cursor, from, limit, target, targetType, to }) =>
    ask(
      (client) =>
        client.audit.list({
          query: {
            limit,
            cursor,
            actor_id: actor,
            target_id: target,
            target_type: targetType,
            from,
            to
          },
          ...both
        }),
      ({ items, nextCursor }) =>
        table(
          [
            ["when", (record) => Show.instant(record.timestamp)],
            ["actor", (record) => record.actorId],
            ["action", (record) => record.action],
            ["target", (record) => record.targetId]
          ],
          items,
          "Nothing was changed."
        ) + Show.more(nextCursor)
    )
).pipe(
  Command.withDescription("List who changed what, newest first"),
  Command.withExamples([{ command: "vpnmgr audit list --target-type subscription --from 2026-01-01T00:00:00Z" }])
)

/** The noun with its verb. */
export const audit = Command.make("audit").pipe(
  Command.withDescription("The trail of every change"),
  Command.withSubcommands([audited])
)

const quarantined = Command.make("list", Inputs.page, (query) =>
  ask(
    (client) => client.quarantine.list({ query, ...both }),
    ({ items, nextCursor }) =>
      table(
        [
          ["received", (entry) => Show.instant(entry.receivedAt)],
          ["node", (entry) => entry.nodeId],
          ["reason", (entry) => entry.reason.replaceAll("_", " ")],
          ["up", (entry) => String(entry.bytesUp)],
          ["down", (entry) => String(entry.bytesDown)],
          ["id", (entry) => entry.id]
        ],
        items,
        "Everything that was reported was counted."
      ) + Show.more(nextCursor)
  )
).pipe(
  Command.withDescription("List reported traffic that was not counted, with the reason"),
  Command.withExamples([{ command: "vpnmgr quarantine list" }])
)

/** The noun with its verb. */
export const quarantine = Command.make("quarantine").pipe(
  Command.withDescription("Reported traffic that was not counted"),
  Command.withSubcommands([quarantined])
)
