/** `vpnmgr key`: what secrets are encrypted with at rest. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { makeKey, writeKey } from "../serve/EncryptionKey.ts"
import { Json } from "../GlobalFlags.ts"
import * as Inputs from "./Inputs.ts"

const generate = Command.make(
  "generate",
  { output: Inputs.text("output", "file", "Write it to a new file of mode 600 instead of showing it") },
  Effect.fn(function* ({ output }) {
    const key = makeKey()
    if (output === undefined) return yield* Console.log((yield* Json) ? JSON.stringify({ key }) : key)
    yield* writeKey(output, key)
    yield* Console.log(
      (yield* Json)
        ? JSON.stringify({ file: output })
        : `The key is in ${output}. Keep a copy: without it, the database's secrets cannot be read.`
    )
  })
).pipe(
  Command.withDescription("Make an encryption key: 32 random bytes in base64"),
  Command.withExamples([
    { command: "vpnmgr key generate --output encryption.key" },
    { command: "VPNMGR_ENCRYPTION_KEY_FILE=encryption.key vpnmgr serve", description: "Use it" }
  ])
)

/** The noun with its verb. */
export const key = Command.make("key").pipe(
  Command.withDescription("The key that secrets are encrypted with at rest"),
  Command.withSubcommands([generate])
)
