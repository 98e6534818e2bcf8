/**
 * What is made of measured numbers: medians, spreads, and whether a goal is met. Plain functions; nothing is measured
 * here.
 */

/** What a case says of one goal, at one size. */
export interface Row {
  /** The goal's number. */
  readonly goal: number
  /** What was measured. */
  readonly what: string
  /** Subscriptions in the database it was measured on. */
  readonly subscriptions: number
  /** One value per round, in `unit`; the median is judged. */
  readonly values: ReadonlyArray<number>
  readonly unit: "×" | "ms" | "MB" | "%"
  /** The median must be at least, or at most, this. */
  readonly bound: { readonly atLeast: number } | { readonly atMost: number }
  /** What it was compared with, with the figures of both. */
  readonly yardstick: string
  /** Everything else that was seen, for the file. */
  readonly seen: Readonly<Record<string, unknown>>
}

/** The middle value; of an even number of values the mean of the two in the middle. Fails on none. */
export const median = (values: ReadonlyArray<number>): number => {
  if (values.length === 0) throw new RangeError("there is no median of nothing")
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value that the share `q` (0 to 1) of the values does not exceed: the nearest rank. Fails on none. */
export const quantile = (values: ArrayLike<number>, q: number): number => {
  if (values.length === 0) throw new RangeError("there is no quantile of nothing")
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!
}

/** How far the values lie apart: (greatest − least) / median; 0 for one value, and when all are 0. */
export const spread = (values: ReadonlyArray<number>): number => {
  const middle = median(values)
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle
}

/** Whether the median keeps the bound. */
export const isMet = ({ bound, values }: Pick<Row, "bound" | "values">): boolean =>
  "atLeast" in bound ? median(values) >= bound.atLeast : median(values) <= bound.atMost

/** A number as people read it: three digits or so. */
export const short = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)

const bounded = ({ bound, unit }: Row) =>
  "atLeast" in bound ? `≥ ${bound.atLeast} ${unit}` : `≤ ${bound.atMost} ${unit}`

/** The table that is printed: one line per row, columns of equal width. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = [
    ["goal", "what", "N", "median", "spread", "bound", "met", "yardstick"],
    ...rows.map((row) => [
      String(row.goal),
      row.what,
      String(row.subscriptions),
      `${short(median(row.values))} ${row.unit}`,
      `${(spread(row.values) * 100).toFixed(0)} %`,
      bounded(row),
      isMet(row) ? "yes" : "NO",
      row.yardstick
    ])
  ]
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join(" | ")
        .trimEnd()
    )
    .join("\n")
}
