/** `vpnmgr config`: what the settings are, where they come from, and whether they hold together. */
import { Console, Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { Json } from "../GlobalFlags.ts"
import { table } from "../output/Table.ts"
import { nameOf } from "../settings/Definition.ts"
import * as Load from "../settings/Load.ts"
import { definitions, ServerSettings } from "../settings/ServerSettings.ts"
import type { Found } from "../settings/Sources.ts"

const originOf = (found: Found | undefined): string => found?.from ?? "default"

const shown = (value: unknown): string =>
  Array.isArray(value) ? value.join(", ") : value === null ? "" : String(value)

const check = Command.make("check", Load.serverFlags, (flags) =>
  Effect.andThen(
    Load.server(flags),
    Effect.flatMap(Json, (json) => Console.log(json ? JSON.stringify({ ok: true }) : "The settings hold together."))
  )
).pipe(
  Command.withDescription("Say what is wrong with the server's settings; exit code 0 when nothing is"),
  Command.withExamples([{ command: "vpnmgr config check --config /etc/vpnmgr.toml" }])
)

const show = Command.make(
  "show",
  Load.serverFlags,
  Effect.fn(function* (flags) {
    const { found, settings } = yield* Load.server(flags)
    const written = Schema.encodeSync(ServerSettings)(settings) as Readonly<Record<string, unknown>>
    const rows = Object.keys(definitions).map((key) => ({
      name: nameOf(key),
      value: written[key] ?? null,
      from: originOf(found[key])
    }))
    if (yield* Json)
      return yield* Console.log(JSON.stringify(Object.fromEntries(rows.map(({ name, ...rest }) => [name, rest]))))
    yield* Console.log(
      table(
        [
          ["setting", (row) => row.name],
          ["value", (row) => shown(row.value)],
          ["from", (row) => row.from]
        ],
        rows,
        ""
      )
    )
  })
).pipe(
  Command.withDescription("Show every setting with where it comes from; secrets are not shown"),
  Command.withExamples([{ command: "vpnmgr config show --json" }])
)

/** The noun with its verbs. */
export const config = Command.make("config").pipe(
  Command.withDescription("The server's settings"),
  Command.withSubcommands([check, show])
)
