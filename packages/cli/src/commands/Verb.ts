/**
 * The shape of a command that asks the API: what it is given, which call it makes of that, how the answer reads. Every
 * noun's commands are made here, so that names, prefixes, `--json`, versions and confirmations are the same for all.
 */
import type { Stream } from "effect"
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import type { HttpClientResponse } from "effect/http"
import { print, printRaw, withServer } from "../client/Answer.ts"
import type { Reply } from "../client/Answer.ts"
import type { Connection } from "../client/Connection.ts"
import type { Resolved } from "../client/References.ts"
import { failed } from "../Failed.ts"
import { Json } from "../GlobalFlags.ts"
import * as Show from "../output/Show.ts"
import { table } from "../output/Table.ts"
import type { Column } from "../output/Table.ts"
import * as Confirm from "./Confirm.ts"
import * as Inputs from "./Inputs.ts"

/** What the help says. */
export interface Words {
  readonly description: string
  /** At least one, whole: `vpnmgr group list`; with what it is for where that is not plain. */
  readonly examples: readonly [Example, ...Array<Example>]
}
type Example = string | readonly [command: string, description: string]

type Config = Command.Command.Config
type Typed<C extends Config> = Command.Command.Config.Infer<C>
type Given<C extends Config> = Resolved<Typed<C>>

const idempotencyKey = Inputs.text(
  "idempotency-key",
  "text",
  "Do it once, however often the command is repeated with the same text within 24 hours"
)
const ifMatch = Inputs.text("if-match", "version", "Only if this is still its version, as `show` prints it")

/** The flags for headers, by what a call is: one that makes something, one that changes it, an act on it. */
const headerFlags = {
  none: {},
  create: { idempotencyKey },
  change: { ifMatch },
  act: { idempotencyKey, ifMatch }
} as const

interface Headers {
  readonly ifMatch?: string | undefined
  readonly idempotencyKey?: string | undefined
  readonly yes?: boolean
}

const headersOf = ({ idempotencyKey, ifMatch }: Headers): Readonly<Record<string, string>> => ({
  ...(ifMatch === undefined ? {} : { "if-match": ifMatch === "*" ? ifMatch : `"${ifMatch.replaceAll('"', "")}"` }),
  ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey })
})

const described = <Name extends string, Input, ContextInput, E, R>(
  command: Command.Command<Name, Input, ContextInput, E, R>,
  { description, examples }: Words
) =>
  command.pipe(
    Command.withDescription(description),
    Command.withExamples(
      examples.map((example) =>
        typeof example === "string" ? { command: example } : { command: example[0], description: example[1] }
      )
    )
  )

/** Puts ids in place of names, and runs `use` with the headers that were given. */
const prepared = <G, A, E, R>(connection: Connection, given: G, use: (given: Resolved<G>) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const [{ resolve }, { Sending }] = yield* Effect.promise(() =>
      Promise.all([import("../client/References.ts"), import("../client/Connection.ts")])
    )
    const { idempotencyKey, ifMatch, yes: _, ...rest } = given as G & Headers
    const resolved = yield* resolve(connection.client, rest as unknown as G)
    const headers = { ...(yield* Sending), ...headersOf({ idempotencyKey, ifMatch }) }
    return yield* Effect.provideService(use(resolved), Sending, headers)
  })

/** What a command of one call is made of. */
export interface Options<C extends Config, A> extends Words {
  readonly flags: C
  /** Which headers it can be told to send: none where it only reads. */
  readonly headers?: keyof typeof headerFlags
  /** What cannot be taken back, as the question to ask first; null when what is given is harmless. */
  readonly confirm?: (given: Command.Command.Config.Infer<C>) => string | null
  readonly call: (client: Connection["client"], given: Given<C>) => Reply<A>
  readonly view: (value: A, connection: Connection, given: Given<C>) => string
  /** Why the command fails though the server answered, once the answer is printed; null when it does not. */
  readonly objection?: (value: A) => string | null
  /** True for what is read by scripts as it stands: nothing is added to the view. */
  readonly isBare?: true
}

/** Makes a command that makes one call and shows its answer. */
export const verb = <const Name extends string, const C extends Config, A>(name: Name, options: Options<C, A>) => {
  const flags = {
    ...options.flags,
    ...headerFlags[options.headers ?? "none"],
    ...(options.confirm === undefined ? {} : { yes: Confirm.yes })
  } as C
  return described(
    Command.make(name, flags, (given) =>
      Effect.andThen(
        Confirm.agreed(options.confirm?.(given) ?? null, (given as Headers).yes ?? false),
        withServer((connection) =>
          prepared(connection, given, (resolved) =>
            Effect.gen(function* () {
              const answer = yield* options.call(connection.client, resolved)
              yield* print(answer, (value) => options.view(value, connection, resolved), options.isBare)
              const objection = options.objection?.(answer[0]) ?? null
              if (objection !== null) return yield* failed(objection)
            })
          )
        )
      )
    ),
    options
  )
}

interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor: string | null
}

/** What a list is made of. */
export interface ListOptions<C extends Config, A> extends Words {
  /** What narrows and sorts it. */
  readonly flags: C
  readonly call: (client: Connection["client"], given: Given<C>, page: PageQuery) => Reply<Page<A>>
  readonly columns: ReadonlyArray<Column<A>>
  /** The sentence for an empty one. */
  readonly none: string
}

/** Which page. */
export interface PageQuery {
  readonly limit?: number
  readonly cursor?: string
}

/** The most a page holds. */
const fullPage = 200

const pageOf = (limit: number | undefined, cursor: string | undefined): PageQuery => ({
  ...(limit === undefined ? {} : { limit }),
  ...(cursor === undefined ? {} : { cursor })
})

/** Makes a command that shows a list: a page of it, or with `--all` every page. */
export const list = <const Name extends string, const C extends Config, A>(name: Name, options: ListOptions<C, A>) => {
  const flags = { ...options.flags, ...Inputs.page } as C
  return described(
    Command.make(name, flags, (typed) => {
      const { all, cursor, limit, ...given } = typed as Typed<C> & Paged
      return withServer((connection) =>
        prepared(connection, given as unknown as Typed<C>, (resolved) => {
          const get = (page: PageQuery) => options.call(connection.client, resolved, page)
          if (all) return everything(get, pageOf(limit ?? fullPage, cursor), options)
          return Effect.flatMap(get(pageOf(limit, cursor)), (answer) =>
            print(
              answer,
              ({ items, nextCursor }) => table(options.columns, items, options.none) + Show.more(nextCursor)
            )
          )
        })
      )
    }),
    options
  )
}

interface Paged {
  readonly limit: number | undefined
  readonly cursor: string | undefined
  readonly all: boolean
}

/** Walks every page: with `--json` a line for each item as it comes, else one table. */
const everything = <A>(
  get: (page: PageQuery) => Reply<Page<A>>,
  first: PageQuery,
  { columns, none }: Pick<ListOptions<Config, A>, "columns" | "none">
) =>
  Effect.gen(function* () {
    const json = yield* Json
    const kept: Array<A> = []
    let page: PageQuery | null = first
    while (page !== null) {
      const [{ items, nextCursor }, response]: readonly [Page<A>, HttpClientResponse.HttpClientResponse] =
        yield* get(page)
      if (json) yield* printItems(response)
      else kept.push(...items)
      page = nextCursor === null ? null : { ...page, cursor: nextCursor }
    }
    if (!json) yield* Console.log(table(columns, kept, none))
  })

const printItems = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(response.json, (body) =>
    Effect.forEach(
      (body as { readonly items: ReadonlyArray<unknown> }).items,
      (item) => printRaw(JSON.stringify(item)),
      {
        discard: true
      }
    )
  )

/** What an export is made of. */
export interface ExportOptions<C extends Config> extends Words {
  /** What narrows it, as it narrows the list. */
  readonly flags: C
  readonly call: (
    client: Connection["client"],
    given: Given<C>,
    format: Format
  ) => Effect.Effect<Stream.Stream<Uint8Array, unknown>, unknown>
}

const formats = ["ndjson", "csv"] as const
type Format = (typeof formats)[number]

const exportFlags = {
  format: Inputs.oneOf("format", formats, "One JSON object a line (the default), or CSV with a header row"),
  output: Inputs.file("output", "Write to a new file, which is there once it is whole, instead of to stdout")
}

/** Makes a command `export` that streams a whole list to stdout or to a file. */
export const exporting = <const C extends Config>(options: ExportOptions<C>) => {
  const flags = { ...options.flags, ...exportFlags } as C
  return described(
    Command.make("export", flags, (typed) => {
      const { format = "ndjson", output, ...given } = typed as Typed<C> & Exporting
      return withServer((connection) =>
        prepared(connection, given as unknown as Typed<C>, (resolved) =>
          Effect.gen(function* () {
            const Sink = yield* Effect.promise(() => import("../output/Sink.ts"))
            const bytes = yield* options.call(connection.client, resolved, format)
            if (output === undefined) return yield* Sink.toStdout(bytes, format)
            const size = yield* Sink.toFile(bytes, output)
            yield* Console.log(
              (yield* Json) ? JSON.stringify({ file: output, size }) : `${size} bytes are in ${output}.`
            )
          })
        )
      )
    }),
    options
  )
}

interface Exporting {
  readonly format: Format | undefined
  readonly output: string | undefined
}
