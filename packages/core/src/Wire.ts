/**
 * The wire form of a noun: snake_case keys, as in every seed, over camelCase fields.
 *
 * Also the codecs for numbers that JSON cannot carry safely. Not a place for rules.
 */
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"

type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : S

type SnakeKeys<Fields> = { readonly [K in keyof Fields]: K extends string ? Snake<K> : K }

/** `maxTraffic` → `max_traffic`. */
export const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** A struct whose encoded keys are the snake_case of its fields. */
export const struct = <const Fields extends Schema.Struct.Fields>(
  fields: Fields
): Schema.encodeKeys<Schema.Struct<Fields>, SnakeKeys<Fields>> =>
  Schema.Struct(fields).pipe(
    Schema.encodeKeys(Object.fromEntries(Object.keys(fields).map((key) => [key, snake(key)])) as never)
  ) as never

const maxInt8 = 2n ** 63n - 1n

const notBytes = (limit: string) =>
  new SchemaIssue.InvalidValue({
    message: `Expected a whole number from 0 to ${limit}, as a number or a decimal string`
  })

/** Tells the OpenAPI document what the decoder checks, and checks nothing itself: its words are the decoder's. */
const documented = (jsonSchema: Record<string, string | number>) =>
  Schema.makeFilter(() => true, { toJsonSchema: () => jsonSchema })

const safe = Number.MAX_SAFE_INTEGER

/** The description is of what is on the wire, where readers of an OpenAPI document look for it. */
const wholeNumber = (maximum: bigint, description: string) =>
  Schema.Union([
    Schema.Finite.pipe(Schema.check(documented({ type: "integer", minimum: 0, maximum: safe }))),
    Schema.String.pipe(Schema.check(documented({ pattern: `^\\d{1,${String(maximum).length}}$` })))
  ])
    .annotate({ description })
    .pipe(
      Schema.decodeTo(Schema.BigInt, {
        decode: SchemaGetter.transformEffect((value: number | string) => {
          const whole =
            typeof value === "number"
              ? Number.isSafeInteger(value)
                ? BigInt(value)
                : undefined
              : /^\d{1,40}$/.test(value)
                ? BigInt(value)
                : undefined
          return whole === undefined || whole < 0n || whole > maximum
            ? Effect.fail(notBytes(String(maximum)))
            : Effect.succeed(whole)
        }),
        encode: SchemaGetter.transform((value: bigint): number | string =>
          value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString()
        )
      })
    )

/**
 * A count of bytes, 0 to 2^63 − 1. On the wire a JSON number while it is exact (below 2^53), a decimal string above;
 * both are accepted.
 */
export const Bytes = wholeNumber(maxInt8, "bytes; a decimal string above 2^53 - 1")

/** Bytes × thousandths: exact weighted usage, rounded up to bytes only when shown or compared. */
export const Weighted = wholeNumber(10n ** 38n, "bytes × 1000")

/** A speed, bit/s, 0 to 2^63 − 1; on the wire as `Bytes`. */
export const BitsPerSecond = wholeNumber(maxInt8, "bit/s; a decimal string above 2^53 - 1")

/** A count of bytes that may be wrong: −2^63 to 2^63 − 1, for input that is judged rather than refused. */
export const SignedBytes = Schema.Union([
  Schema.Finite.pipe(Schema.check(documented({ type: "integer", minimum: -safe, maximum: safe }))),
  Schema.String.pipe(Schema.check(documented({ pattern: "^-?\\d{1,19}$" })))
]).pipe(
  Schema.decodeTo(Schema.BigInt, {
    decode: SchemaGetter.transformEffect((value: number | string) =>
      (Number.isSafeInteger(value) || (typeof value === "string" && /^-?\d{1,19}$/.test(value))) &&
      BigInt(value) <= maxInt8 &&
      BigInt(value) >= -maxInt8 - 1n
        ? Effect.succeed(BigInt(value))
        : Effect.fail(notBytes(String(maxInt8)))
    ),
    encode: SchemaGetter.transform((value: bigint): number | string =>
      value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
        ? Number(value)
        : value.toString()
    )
  })
)

/** Well-formed text of at most `longest` characters without NUL, which PostgreSQL cannot keep. */
export const text = (longest: number) =>
  Schema.String.pipe(
    Schema.check(Schema.isMaxLength(longest)),
    Schema.check(
      Schema.makeFilter(
        (value: string) =>
          (value.isWellFormed() && !value.includes("\u0000")) || "Expected well-formed text without NUL characters"
      )
    )
  )

/** A number that a 32-bit column holds, 0 to 2^31 − 1. */
export const Int4 = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 })))
