/** `vpnmgr config`: what the settings are, where they come from, and whether they hold together. */
import type { Subscriptions } from "@vpnmgr/api"
import { ConfigTemplate } from "@vpnmgr/core"
import { NunjucksTemplate } from "@vpnmgr/template-nunjucks"
import { Console, Effect, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { both } from "../client/Answer.ts"
import { failed } from "../Failed.ts"
import { Json } from "../GlobalFlags.ts"
import { table } from "../output/Table.ts"
import { nameOf } from "../settings/Definition.ts"
import * as Load from "../settings/Load.ts"
import { definitions, ServerSettings } from "../settings/ServerSettings.ts"
import type { Found } from "../settings/Sources.ts"
import * as Inputs from "./Inputs.ts"
import * as Verb from "./Verb.ts"

const originOf = (found: Found | undefined): string => found?.from ?? "default"

const shown = (value: unknown): string =>
  Array.isArray(value) ? value.join(", ") : value === null ? "" : String(value)

const loaded = (path: string) =>
  NunjucksTemplate.load(path).pipe(Effect.mapError(({ detail }: ConfigTemplate.TemplateFailure) => failed(detail)))

const check = Command.make(
  "check",
  Load.serverFlags,
  Effect.fn(function* (flags) {
    const { settings } = yield* Load.server(flags)
    if (settings.configTemplate !== null) yield* Effect.scoped(loaded(settings.configTemplate))
    yield* Console.log((yield* Json) ? JSON.stringify({ ok: true }) : "The settings hold together.")
  })
).pipe(
  Command.withDescription(
    "Say what is wrong with the server's settings, its template for configs among them; exit code 0 when nothing is"
  ),
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

const file = Argument.String("file").pipe(Argument.withDescription("A nunjucks file"))

const checkTemplate = Command.make("check-template", { file }, ({ file }) =>
  Effect.scoped(loaded(file)).pipe(
    Effect.andThen(Json),
    Effect.flatMap((json) =>
      Console.log(json ? JSON.stringify({ ok: true }) : `${file} renders a config for every state and protocol.`)
    )
  )
).pipe(
  Command.withDescription("Say what is wrong with a template for configs, with the line; exit code 0 when nothing is"),
  Command.withExamples([{ command: "vpnmgr config check-template config.njk" }])
)

/** Renders what the server answered by another template, here: templates never go through the API. */
const rerendered = (view: Subscriptions.ConfigView, path: string | undefined) =>
  Effect.gen(function* () {
    if (view.model === null) return yield* failed("the subscription is suspended: it has no config")
    if (path === undefined) return view
    const template = yield* loaded(path)
    const config = yield* ConfigTemplate.render(template, view.model)
    return { ...view, config: config as Schema.Json }
  }).pipe(
    Effect.catchTag("TemplateFailure", ({ detail }) => failed(detail)),
    Effect.scoped
  )

const render = Verb.verb("render", {
  description: "Print the config that a subscription's address answers, or what a template would make of it",
  examples: [
    "vpnmgr config render 01994a43",
    ["vpnmgr config render 01994a43 --template config.njk", "Before it serves everybody"]
  ],
  flags: {
    subscription: Inputs.it("subscription"),
    template: Inputs.text("template", "file", "Render by this template instead of the server's")
  },
  call: (client, { subscription, template }) =>
    Effect.flatMap(client.subscriptions.config({ params: { id: subscription }, ...both }), ([view, response]) =>
      Effect.map(rerendered(view, template), (shown) => [shown, response] as const)
    ),
  view: ({ config }) => JSON.stringify(config, null, 2),
  isBare: true
})

/** The noun with its verbs. */
export const config = Command.make("config").pipe(
  Command.withDescription("The server's settings, and the configs it hands out"),
  Command.withSubcommands([check, show, checkTemplate, render])
)
