/** Secrets from people: asked for without echo on a terminal, else the first line of a file or of standard input. */
import { Effect, Redacted } from "effect"
import { Prompt } from "effect/cli"
import * as fs from "node:fs"
import { failed } from "../Failed.ts"

const firstLine = (from: string | 0) =>
  Effect.try({
    try: () => fs.readFileSync(from, "utf8").split(/\r?\n/, 1)[0]!,
    catch: (error) => failed(`${from === 0 ? "standard input" : from}: ${error instanceof Error ? error.message : ""}`)
  }).pipe(
    Effect.filterOrFail(
      (line) => line !== "",
      () => failed(`${from === 0 ? "standard input" : from}: the first line is empty`)
    )
  )

/** Reads a secret: from `file` (`-` is standard input), by asking, or from standard input when nobody can be asked. */
export const read = Effect.fn("Password.read")(function* (message: string, file: string | undefined) {
  if (file !== undefined && file !== "-") return yield* firstLine(file)
  if (file === "-" || !process.stdin.isTTY) return yield* firstLine(0)
  return Redacted.value(yield* Prompt.run(Prompt.Password({ message })))
})

/** Reads a new password; asks for it twice. */
export const choose = Effect.fn("Password.choose")(function* (file: string | undefined) {
  const password = yield* read("Password (12 characters or more)", file)
  if (file !== undefined || !process.stdin.isTTY) return password
  const again = yield* read("Once more", undefined)
  return again === password ? password : yield* failed("the two passwords are not the same")
})
