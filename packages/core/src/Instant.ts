/**
 * A moment in time: milliseconds since the Unix epoch, UTC. RFC 3339 on the wire.
 *
 * Plain numbers keep the rules comparable with `<` and the hot paths free of allocation. `Infinity` is "never".
 */
import { Clock, Effect, Schema, SchemaGetter, SchemaIssue } from "effect"

/** Milliseconds since the Unix epoch, UTC. */
export type Instant = number

/** After every other instant. */
export const never: Instant = Number.POSITIVE_INFINITY

/** The current instant, from Effect's `Clock`, so that a test clock drives it. */
export const now: Effect.Effect<Instant> = Clock.currentTimeMillis

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/

/** The years 0 to 9999 in UTC: what RFC 3339 can say. */
const earliest: Instant = Date.parse("0000-01-01T00:00:00Z")

/** The last instant that RFC 3339 can say; what would come later is `never`. */
export const latest: Instant = Date.parse("9999-12-31T23:59:59.999Z")

/** Whether a month has that day: `Date` takes 30 February for 2 March. */
const isDay = (date: string): boolean => format(Date.parse(`${date}T00:00:00Z`)).startsWith(date)

/** Reads RFC 3339 with a zone; `undefined` for anything else, a date without a zone or outside its years among it. */
export const parse = (text: string): Instant | undefined => {
  if (!rfc3339.test(text)) return undefined
  const value = Date.parse(text)
  if (Number.isNaN(value) || value < earliest || value > latest) return undefined
  return isDay(text.slice(0, 10)) ? value : undefined
}

/** Writes RFC 3339 in UTC with milliseconds. Dies for `never`: encode "never" as null. */
export const format = (instant: Instant): string => new Date(instant).toISOString()

const notRfc3339 = new SchemaIssue.InvalidValue({
  message: "Expected an RFC 3339 date and time with a zone, such as 2026-01-31T00:00:00Z"
})

/** The codec between an RFC 3339 string and an instant. */
export const Instant = Schema.String.annotate({
  description: "RFC 3339 date and time with a zone; answered in UTC",
  format: "date-time",
  examples: ["2026-01-31T00:00:00.000Z"]
}).pipe(
  Schema.decodeTo(Schema.Number, {
    decode: SchemaGetter.transformEffect((text: string) => {
      const instant = parse(text)
      return instant === undefined ? Effect.fail(notRfc3339) : Effect.succeed(instant)
    }),
    encode: SchemaGetter.transform(format)
  })
)
