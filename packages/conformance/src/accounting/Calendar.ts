/**
 * The oracle's own calendar: whole numbers and `Date.UTC`, nothing of the product.
 */

/** A period as the oracle knows it: months, or milliseconds. */
export interface Span {
  readonly iso: string
  readonly months: number
  readonly millis: number
}

/** Periods for histories with a grain of an hour. */
export const hourly: ReadonlyArray<Span> = [
  { iso: "PT1H", months: 0, millis: 3_600_000 },
  { iso: "PT5H", months: 0, millis: 18_000_000 },
  { iso: "P1D", months: 0, millis: 86_400_000 },
  { iso: "P30D", months: 0, millis: 2_592_000_000 },
  { iso: "P1M", months: 1, millis: 0 },
  { iso: "P1Y", months: 12, millis: 0 }
]

/** Periods for histories with a grain of a second. */
export const secondly: ReadonlyArray<Span> = [
  { iso: "PT1S", months: 0, millis: 1000 },
  { iso: "PT7S", months: 0, millis: 7000 },
  { iso: "PT1M", months: 0, millis: 60_000 },
  { iso: "P1D", months: 0, millis: 86_400_000 },
  { iso: "P1M", months: 1, millis: 0 }
]

/** What two periods are compared by: a month is 365.2425 days / 12. */
export const length = ({ months, millis }: Span): number => months * 2_629_746_000 + millis

const monthsAfter = (anchor: number, count: number): number => {
  const date = new Date(anchor)
  const month = date.getUTCMonth() + count
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate()
  const first = Date.UTC(date.getUTCFullYear(), month, 1)
  const timeOfDay = anchor - Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate())
  return first + (Math.min(date.getUTCDate(), lastDay) - 1) * 86_400_000 + timeOfDay
}

/** Where the k-th window from the anchor begins. */
const edge = (anchor: number, span: Span, count: number): number =>
  span.months > 0 ? monthsAfter(anchor, span.months * count) : anchor + span.millis * count

/** The window (start, end] that holds an instant. */
export const windowOf = (anchor: number, span: Span, at: number): { readonly start: number; readonly end: number } => {
  let index = span.months > 0 ? -1 : Math.ceil((at - anchor) / span.millis) - 1
  while (edge(anchor, span, index) >= at) index -= 1
  while (edge(anchor, span, index + 1) < at) index += 1
  return { start: edge(anchor, span, index), end: edge(anchor, span, index + 1) }
}
