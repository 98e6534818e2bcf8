/** What cannot be taken back is asked about first: on a terminal by a question, elsewhere `--yes` must say so. */
import { Effect } from "effect"
import { Prompt } from "effect/cli"
import { failed } from "../Failed.ts"
import { canAsk } from "../output/Terminal.ts"
import * as Inputs from "./Inputs.ts"

/** `--yes`. */
export const yes = Inputs.toggle("yes", "Do not ask whether it is meant")

/** Fails unless somebody agreed; null asks nothing. */
export const agreed = Effect.fn("Confirm.agreed")(function* (question: string | null, isSaid: boolean) {
  if (question === null || isSaid) return
  if (!canAsk()) return yield* failed(`${question} Say --yes: nobody is there to be asked`)
  const isMeant = yield* Prompt.run(Prompt.Confirm({ message: question }))
  if (!isMeant) return yield* failed("nothing was done")
})
