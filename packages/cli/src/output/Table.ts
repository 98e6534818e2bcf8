/** Plain text for people: columns under headings, and one thing as a list of its fields. */

/** A heading, and what stands under it for an item. */
export type Column<A> = readonly [heading: string, cell: (item: A) => string]

const blank = "-"

/** A control character in what somebody typed must not move the cursor of who reads it. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, " ")

const line = (cells: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join("  ")
    .trimEnd()

/** Sets items in columns; `none` is the sentence for an empty list. */
export const table = <A>(columns: ReadonlyArray<Column<A>>, items: ReadonlyArray<A>, none: string): string => {
  if (items.length === 0) return none
  const head = columns.map(([heading]) => heading.toUpperCase())
  const rows = items.map((item) => columns.map(([, cell]) => printable(cell(item)) || blank))
  const widths = head.map((heading, index) => Math.max(heading.length, ...rows.map((row) => row[index]!.length)))
  return [head, ...rows].map((cells) => line(cells, widths)).join("\n")
}

/** Sets one thing as `name  value` lines; a line without a value is left out. */
export const fields = (entries: ReadonlyArray<readonly [name: string, value: string | null | undefined]>): string => {
  const shown = entries.filter(([, value]) => value != null && value !== "")
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${printable(value!)}`).join("\n")
}
