/**
 * Where settings come from: a flag wins over the environment, the environment over `vpnmgr.toml`, the file over the
 * default. A name nobody knows is an error that suggests the nearest one. All that is wrong is said at once.
 */
import { Effect, Option, Schema, SchemaIssue } from "effect"
import * as fs from "node:fs"
import { parse, TomlError } from "smol-toml"
import * as Agent from "./AgentSettings.ts"
import type { Definitions } from "./Definition.ts"
import { flagOf, nameOf, variableOf } from "./Definition.ts"
import { nearest } from "./Nearest.ts"
import * as Server from "./ServerSettings.ts"

/** The settings cannot be used: one line for each reason. */
export class BadSettings extends Schema.TaggedError<BadSettings>()("BadSettings", {
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return this.problems.join("\n")
  }
}

/** A setting as it was found: what was written, and where. */
export interface Found {
  readonly raw: unknown
  readonly from: string
}

/** What is asked of the sources. */
export interface Request {
  readonly flags: Readonly<Record<string, Option.Option<string>>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The settings file; null for none. */
  readonly file: string | null
}

const secretsOf = (definitions: Definitions) => Object.keys(definitions).filter((key) => definitions[key]?.secret)
const variablesOf = (definitions: Definitions): ReadonlyArray<string> => [
  ...Object.keys(definitions).map(variableOf),
  ...secretsOf(definitions).map((key) => `${variableOf(key)}_FILE`)
]

/** What tests, proofs and test builds are told begins like this. */
const forTests = /^VPNMGR_(TEST|PROOF|BREAK|KILL)/

/** Names in the environment that are ours: settings, what the commands read, and what the repository's tools do. */
const variables = new Set([
  ...variablesOf(Server.definitions),
  ...variablesOf(Agent.definitions),
  "VPNMGR_CONFIG",
  "VPNMGR_TOKEN",
  "VPNMGR_TOKEN_FILE",
  "VPNMGR_CACHE",
  "VPNMGR_NETNS",
  "VPNMGR_CHECK_LINES"
])

const suggest = (name: string, names: Iterable<string>): string => {
  const best = nearest(name, [...names])
  return best === undefined ? "" : `; did you mean ${best}?`
}

/** Says of every `VPNMGR_*` variable nobody knows what may have been meant. */
const unknownVariables = (environment: Request["environment"]): ReadonlyArray<string> =>
  Object.keys(environment).flatMap((name) =>
    !name.startsWith("VPNMGR_") || forTests.test(name) || variables.has(name)
      ? []
      : [`${name}: there is no such setting${suggest(name, variables)}`]
  )

const unknownKeys = (definitions: Definitions, file: string, table: Record<string, unknown>): ReadonlyArray<string> => {
  const names = [...Object.keys(definitions).map(nameOf), ...secretsOf(definitions).map((key) => `${nameOf(key)}_file`)]
  return Object.keys(table).flatMap((name) =>
    names.includes(name) ? [] : [`${file}: ${name}: there is no such setting${suggest(name, names)}`]
  )
}

const reasonOf = (error: unknown): string =>
  error instanceof TomlError ? error.message.split("\n")[0]! : error instanceof Error ? error.message : String(error)

const readFile = (path: string) =>
  Effect.try({
    try: () => fs.readFileSync(path, "utf8"),
    catch: (error) => new BadSettings({ problems: [`${path}: ${reasonOf(error)}`] })
  })

const readTable = (path: string) =>
  Effect.flatMap(readFile(path), (text) =>
    Effect.try({
      try: (): Record<string, unknown> => parse(text),
      catch: (error) => new BadSettings({ problems: [`${path}: ${reasonOf(error)}`] })
    })
  )

/** Finds each setting in the source that wins; what none names is absent. */
const find = Effect.fnUntraced(function* (definitions: Definitions, request: Request, table: Record<string, unknown>) {
  const found: Record<string, Found> = {}
  for (const [key, definition] of Object.entries(definitions)) {
    const name = nameOf(key)
    const variable = variableOf(key)
    const flag = Option.getOrUndefined(request.flags[key] ?? Option.none())
    const candidates: ReadonlyArray<readonly [unknown, string, boolean]> = [
      [flag, `--${flagOf(key)}`, false],
      [request.environment[variable], variable, false],
      [definition.secret && request.environment[`${variable}_FILE`], `${variable}_FILE`, true],
      [table[name], `${request.file}: ${name}`, false],
      [definition.secret && table[`${name}_file`], `${request.file}: ${name}_file`, true],
      [definition.standard ?? undefined, "default", false]
    ]
    const chosen = candidates.find(([raw]) => raw !== undefined)
    if (chosen === undefined) continue
    const [raw, from, isFile] = chosen
    found[key] = { raw: isFile ? yield* readFile(String(raw)) : raw, from }
  }
  return found
})

const sentence = (
  found: Record<string, Found>,
  issue: { readonly path?: unknown; readonly message: string }
): string => {
  const [key] = (issue.path ?? []) as ReadonlyArray<string>
  if (key === undefined) return issue.message
  const where = found[key]?.from ?? "default"
  if (found[key] === undefined && issue.message.startsWith("expected"))
    return `${nameOf(key)}: must be set, as ${variableOf(key)} or --${flagOf(key).replace(/^node-key$/, "key-file")}: ${issue.message}`
  const name = where === "default" ? nameOf(key) : where
  return `${name}: ${issue.message}`
}

const describe = SchemaIssue.makeFormatterStandardSchemaV1()

/** Reads the settings of a table from all sources, with where each was found. */
export const read = Effect.fn("Settings.read")(function* <A>(
  schema: Schema.Codec<A, unknown>,
  definitions: Definitions,
  request: Request
) {
  const table = request.file === null ? {} : yield* readTable(request.file)
  const unknown = [
    ...unknownVariables(request.environment),
    ...(request.file === null ? [] : unknownKeys(definitions, request.file, table))
  ]
  const found = yield* find(definitions, request, table)
  const raw = Object.fromEntries(Object.keys(definitions).map((key) => [key, found[key]?.raw ?? null]))
  const decoded = yield* Effect.result(Schema.decodeUnknownEffect(schema)(raw, { errors: "all" }))
  const problems =
    decoded._tag === "Success"
      ? unknown
      : [...unknown, ...describe(decoded.failure.issue).issues.map((issue) => sentence(found, issue))]
  if (decoded._tag === "Failure" || problems.length > 0) return yield* new BadSettings({ problems })
  return { settings: decoded.success, found }
})
