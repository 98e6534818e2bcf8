/** The simulator's process: takes orders over the channel it was started with, and ends with it. */
import * as Fleet from "./Fleet.ts"
import type { Order, Reply } from "./Plan.ts"

const fleet = Fleet.make()

const reply = (message: Reply) => void process.send?.(message)

process.on("message", ({ given, id, verb }: Order) => {
  const act = fleet[verb] as (given: unknown) => unknown
  Promise.resolve()
    .then(() => act(given))
    .then(
      (result) => reply({ id, result }),
      (cause: unknown) => reply({ id, failure: cause instanceof Error ? cause.message : String(cause) })
    )
})
process.on("disconnect", () => process.exit(0))
