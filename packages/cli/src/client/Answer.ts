/** What a command does with the API: ask, print the answer, and put a refusal into words. */
import type { HttpClientResponse } from "effect/http"
import type { Prompt } from "effect/cli"
import { Console, Effect, Option, Schema } from "effect"
import { Failed, failed } from "../Failed.ts"
import { ActFor, Json } from "../GlobalFlags.ts"
import { isTerminal } from "../output/Terminal.ts"
import { printableJson } from "../output/Text.ts"
import type { Connection } from "./Connection.ts"

/** Makes a call answer what was decoded and what was sent, so that `--json` can print the latter. */
export const both = { responseMode: "decoded-and-response" } as const

/** Fields that may be undefined become fields that may be absent. */
type Present<A> = { readonly [K in keyof A as undefined extends A[K] ? never : K]: A[K] } & {
  readonly [K in keyof A as undefined extends A[K] ? K : never]?: Exclude<A[K], undefined>
}

/** Leaves out what was not given: absent stays as it is, null clears. */
export const present = <A extends object>(given: A): Present<A> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Present<A>

const Problem = Schema.Struct({
  type: Schema.String,
  status: Schema.Number,
  title: Schema.String,
  code: Schema.String,
  detail: Schema.String,
  errors: Schema.optionalKey(Schema.Array(Schema.Struct({ field: Schema.String, detail: Schema.String })))
})

/** Says in words what the API refused: its detail, and each field with its reason where the detail leaves it out. */
const inWords = ({ detail, errors = [] }: typeof Problem.Type): string =>
  [
    detail,
    ...errors.filter((error) => !detail.includes(error.detail)).map((error) => `  ${error.field}: ${error.detail}`)
  ].join("\n")

const unanswered = (error: unknown): Failed => {
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : ""
  const words = error instanceof Error ? error.message : String(error)
  if (tag === "SchemaError") return failed(`this is not as the API wants it: ${words}`)
  if (tag === "HttpClientError") return new Failed({ message: `the server does not answer: ${words}`, status: 503 })
  return failed(words)
}

/** Turns whatever a call fails with into a `Failed`. */
export const refused = (error: unknown): Failed => {
  if (error instanceof Failed) return error
  const { errors, ...rest } = error as Partial<typeof Problem.Type>
  const found = Schema.decodeUnknownOption(Problem)({ ...rest, ...(errors === undefined ? {} : { errors }) })
  if (found._tag === "None") return unanswered(error)
  return new Failed({ message: inWords(found.value), problem: found.value, status: found.value.status })
}

/** Connects as the flags say, in an operator's name where one is given, and hands the connection on. */
export const withServer = <A, E, R>(use: (connection: Connection) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const [{ actForHeader, connect, Sending }, { Reference, resolve }] = yield* Effect.promise(() =>
      Promise.all([import("./Connection.ts"), import("./References.ts")])
    )
    const connection = yield* connect
    const name = Option.getOrUndefined(yield* ActFor)
    if (name === undefined) return yield* Effect.mapError(use(connection), refused)
    const { user } = yield* Effect.mapError(resolve(connection.client, { user: new Reference("user", name) }), refused)
    return yield* use(connection).pipe(
      Effect.provideService(Sending, { [actForHeader]: user }),
      Effect.mapError(refused)
    )
  }).pipe(Effect.scoped)

/** What a call made with `both` answers. */
export type Reply<A> = Effect.Effect<readonly [A, HttpClientResponse.HttpClientResponse], unknown, Prompt.Environment>

/** Prints what a program made as it came; on a terminal with everything escaped that a terminal may act on. */
export const printRaw = (text: string) => Console.log(isTerminal() ? printableJson(text) : text)

/** The version to name in `--if-match`, where the answer has one. */
const versionOf = (response: HttpClientResponse.HttpClientResponse): string => {
  const tag = response.headers["etag"]
  return tag === undefined ? "" : `\n\nVersion ${tag.replaceAll('"', "")} (for --if-match)`
}

/** Prints an answer: the API's JSON with `--json`, else `view` of it with its version, or alone when it is to be bare. */
export const print = Effect.fn("Answer.print")(function* <A>(
  [value, response]: readonly [A, HttpClientResponse.HttpClientResponse],
  view: (value: A) => string,
  isBare = false
) {
  const isJson = yield* Json
  if (!isJson && isBare) return yield* printRaw(view(value))
  if (!isJson) return yield* Console.log(view(value) + versionOf(response))
  const text = yield* Effect.mapError(response.text, unanswered)
  if (text !== "") yield* printRaw(text)
})

/** Asks the server and prints the answer, without its version. */
export const ask = <A>(
  call: (connection: Connection) => Reply<A>,
  view: (value: A, connection: Connection) => string
) =>
  withServer((connection) =>
    Effect.flatMap(call(connection), (answer) => print(answer, (value) => view(value, connection), true))
  )
