/**
 * An ISO 8601 duration after which usage starts again, such as `P30D` or `P1M`: at least one second, whole seconds.
 *
 * Calendar arithmetic is Temporal's; nothing here counts days by hand.
 */
import { Schema } from "effect"
import { Temporal } from "temporal-polyfill"
import type { Instant } from "./Instant.ts"

const yearMillis = 365.2425 * 86_400_000

/** Reads an ISO 8601 duration; `undefined` for a malformed, negative, zero or fractional one. */
const read = (text: string): Temporal.Duration | undefined => {
  try {
    const duration = Temporal.Duration.from(text)
    return duration.sign === 1 && /^P[^.,]*$/.test(text) ? duration : undefined
  } catch {
    return undefined
  }
}

/** No period is longer, milliseconds: 100 years. */
const longest = 100 * yearMillis

/** An ISO 8601 duration, upper case, positive, whole seconds, at most 100 years. */
export const Period = Schema.String.annotate({
  description: "ISO 8601 duration, such as P30D or P1M",
  format: "duration",
  examples: ["P30D"]
}).pipe(
  Schema.check(
    Schema.makeFilter(
      (text: string) =>
        (read(text) !== undefined && nominal(text) <= longest) ||
        "Expected a positive ISO 8601 duration of whole seconds, at most 100 years, such as P30D, P1M or PT12H"
    )
  )
)
export type Period = string

/** The nominal length in milliseconds: a year is 365.2425 days, a month a twelfth of it, a week 7 days. */
export const nominal = (period: Period): number => {
  const { years, months, weeks, days, hours, minutes, seconds } = Temporal.Duration.from(period)
  return (
    years * yearMillis +
    (months * yearMillis) / 12 +
    (weeks * 7 + days) * 86_400_000 +
    hours * 3_600_000 +
    minutes * 60_000 +
    seconds * 1000
  )
}

/** True when every part of the period is a whole number of grains (milliseconds), so that rollups can be re-cut. */
export const isWhole = (period: Period, grain: number): boolean => {
  const { hours, minutes, seconds } = Temporal.Duration.from(period)
  return (hours * 3_600_000 + minutes * 60_000 + seconds * 1000) % grain === 0
}

/**
 * The instant `count` periods after the anchor, counted from the anchor in the UTC calendar, days clamped to the
 * month: 31 January + 1 × P1M is 28 February, + 2 × P1M is 31 March.
 */
export const after = (anchor: Instant, period: Period, count: number): Instant => {
  const { years, months, weeks, days, hours, minutes, seconds } = Temporal.Duration.from(period)
  const length = {
    years: years * count,
    months: months * count,
    weeks: weeks * count,
    days: days * count,
    hours: hours * count,
    minutes: minutes * count,
    seconds: seconds * count
  }
  return Temporal.Instant.fromEpochMilliseconds(anchor).toZonedDateTimeISO("UTC").add(length).epochMilliseconds
}
