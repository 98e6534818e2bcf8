/** `vpnmgr spares`: credentials in stock. */
import { Command } from "effect/cli"
import { both } from "../client/Answer.ts"
import { fields } from "../output/Table.ts"
import * as Verb from "./Verb.ts"

const show = Verb.verb("show", {
  description: "Show the pool of spares",
  examples: ["vpnmgr spares show"],
  flags: {},
  call: (client) => client.spares.get(both),
  view: (pool) =>
    fields([
      ["in stock", `${pool.spares} of ${pool.target}`],
      ["taken last week", String(pool.takenLastWeek)],
      ["wait for a refill", String(pool.unreleased)]
    ])
})

const refill = Verb.verb("refill", {
  description: "Refill the pool now; every node restarts its data plane once",
  examples: ["vpnmgr spares refill"],
  flags: {},
  headers: "create",
  call: (client) => client.spares.refill(both),
  view: ({ added }) => `${added} spares were added.`
})

/** The noun with its verbs. */
export const spares = Command.make("spares").pipe(
  Command.withDescription("Credentials in stock, so that a new subscription needs no restart"),
  Command.withSubcommands([show, refill])
)
