/** What a command does with the API: ask, print the answer, and put a refusal into words. */
import type { HttpClientResponse } from "effect/http"
import type { Scope } from "effect"
import { Console, Effect, Schema } from "effect"
import { Failed, failed } from "../Failed.ts"
import { Json } from "../GlobalFlags.ts"
import type { BadSettings } from "../settings/Sources.ts"
import type { connect, Connection } from "./Connection.ts"

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
  if (tag === "SchemaError") return failed(`this is not as the API wants it: ${String((error as Error).message)}`)
  if (tag === "HttpClientError") return failed(`the server does not answer: ${String((error as Error).message)}`)
  return failed(String(error))
}

/** Turns whatever a call fails with into a `Failed`. */
export const refused = (error: unknown): Failed => {
  if (error instanceof Failed) return error
  const { errors, ...rest } = error as Partial<typeof Problem.Type>
  const found = Schema.decodeUnknownOption(Problem)({ ...rest, ...(errors === undefined ? {} : { errors }) })
  return found._tag === "Some" ? new Failed({ message: inWords(found.value), problem: found.value }) : unanswered(error)
}

/** Connects, and hands the connection on. */
export const withServer = <A, E, R>(use: (connection: Connection) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { connect } = yield* Effect.promise(() => import("./Connection.ts"))
    const connection = yield* connect
    return yield* Effect.mapError(use(connection), refused)
  }).pipe(Effect.scoped)

/** Prints an answer: the API's JSON with `--json`, `view` of it otherwise. */
export const print = Effect.fn("Answer.print")(function* <A>(
  answer: readonly [A, HttpClientResponse.HttpClientResponse],
  view: (value: A) => string
) {
  const [value, response] = answer
  if (!(yield* Json)) return yield* Console.log(view(value))
  const text = yield* Effect.mapError(response.text, unanswered)
  if (text !== "") yield* Console.log(text)
})

type Reply<A, E, R> = Effect.Effect<[A, HttpClientResponse.HttpClientResponse], E, R>

/** Asks the server and prints the answer. */
export const ask = <A, E, R>(
  call: (client: Connection["client"], connection: Connection) => Reply<A, E, R>,
  view: (value: A, connection: Connection) => string
): Effect.Effect<void, Failed | BadSettings, Exclude<R, Scope.Scope> | AskNeeds> =>
  withServer((connection) =>
    Effect.flatMap(call(connection.client, connection), (answer) => print(answer, (value) => view(value, connection)))
  )

type AskNeeds = Effect.Services<ReturnType<typeof print>> | Exclude<Effect.Services<typeof connect>, Scope.Scope>
