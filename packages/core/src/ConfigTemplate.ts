/**
 * The port to a deployer's own template for configs. Without one, `SingBoxClient` renders; with one, its output must be a
 * config all the same: it is decoded by `SingBoxConfig` for every sample before it serves, and at every render.
 *
 * A template is code of the deployer's, from their disk. None ever comes through the API.
 */
import { Context, Effect, Schema, SchemaIssue } from "effect"
import * as ConfigModel from "./ConfigModel.ts"
import { samples } from "./ConfigSamples.ts"
import * as SingBoxConfig from "./SingBoxConfig.ts"

/** A template cannot render: why, in words, with the file and the line where there is one. */
export class TemplateFailure extends Schema.TaggedError<TemplateFailure>()("TemplateFailure", {
  detail: Schema.String
}) {}

/** Characters of a rendered config at most. */
export const longest = 4 * 1024 * 1024

/** Renders a model as a sing-box config, JSON. It must end within bounded time and memory, whatever the model. */
export interface Template {
  readonly render: (model: typeof ConfigModel.ConfigModel.Encoded) => Effect.Effect<string, TemplateFailure>
}

/** The deployer's template; null, as by default, for the typed rendering. */
export const ConfigTemplate = Context.Reference<Template | null>("@vpnmgr/core/ConfigTemplate", {
  defaultValue: () => null
})

const decode = Schema.decodeUnknownEffect(SingBoxConfig.SingBoxConfig)
const formatter = SchemaIssue.makeFormatterStandardSchemaV1()

/** Problems that are named at most. */
const named = 3

const wrong = (detail: string) => new TemplateFailure({ detail })

/** Reads JSON. What does not parse is not quoted: it may hold a password. */
const parse = (text: string): Effect.Effect<unknown, TemplateFailure> =>
  Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: (error) => {
      const why = error instanceof Error ? error.message.replace(/, "?\.{0,3}[^]*is not valid JSON$/, "") : ""
      return wrong(`what came of it is not JSON: ${why}`)
    }
  })

/** Says where it is no config, and what was expected there; not what was found, which may be a password. */
const inWords = (issue: SchemaIssue.Issue): string =>
  formatter(issue)
    .issues.slice(0, named)
    .map(({ message, path = [] }) => {
      const where = path.map((part) => String(typeof part === "object" ? part.key : part)).join(".")
      return `${where === "" ? "" : `${where}: `}${message.replace(/, (got|actual) [^]*$/, "")}`
    })
    .join("; ")

/** Renders a model and decodes what came of it. */
export const render = Effect.fn("ConfigTemplate.render")(function* (
  template: Template,
  model: ConfigModel.ConfigModel
): Effect.fn.Return<SingBoxConfig.SingBoxConfig, TemplateFailure> {
  const text = yield* template.render(ConfigModel.encode(model))
  if (text.length > longest) return yield* wrong(`more than ${longest} characters came of it`)
  return yield* Effect.mapError(decode(yield* parse(text)), ({ issue }) =>
    wrong(`what came of it is no sing-box config: ${inWords(issue)}`)
  )
})

/** Tries a template on every sample: all states, protocols and ways of TLS, and titles that try to get out of their value. */
export const check = (template: Template): Effect.Effect<void, TemplateFailure> =>
  Effect.forEach(
    samples,
    ([name, model]) =>
      Effect.mapError(
        render(template, model),
        ({ detail }) => new TemplateFailure({ detail: `${detail}\n  (rendered for the sample "${name}")` })
      ),
    { discard: true }
  )
