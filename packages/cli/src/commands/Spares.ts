/** `vpnmgr spares`: credentials in stock. */
import { Command } from "effect/cli"
import { ask, both } from "../client/Answer.ts"
import { fields } from "../output/Table.ts"

const show = Command.make("show", {}, () =>
  ask(
    (client) => client.spares.get(both),
    (pool) =>
      fields([
        ["in stock", `${pool.spares} of ${pool.target}`],
        ["taken last week", String(pool.takenLastWeek)],
        ["wait for a refill", String(pool.unreleased)]
      ])
  )
).pipe(Command.withDescription("Show the pool of spares"), Command.withExamples([{ command: "vpnmgr spares show" }]))

const refill = Command.make("refill", {}, () =>
  ask(
    (client) => client.spares.refill(both),
    ({ added }) => `${added} spares were added.`
  )
).pipe(
  Command.withDescription("Refill the pool now; every node restarts its data plane once"),
  Command.withExamples([{ command: "vpnmgr spares refill" }])
)

/** The noun with its verbs. */
export const spares = Command.make("spares").pipe(
  Command.withDescription("Credentials in stock, so that a new subscription needs no restart"),
  Command.withSubcommands([show, refill])
)
