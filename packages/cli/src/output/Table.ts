/** Plain text for people: columns under headings, and one thing as a list of its fields. */
import { heading } from "./Terminal.ts"
import * as Text from "./Text.ts"

/** A heading, and what stands under it for an item. */
export type Column<A> = readonly [heading: string, cell: (item: A) => string]

const blank = "-"

/** What a cell shows of a long text; `show` and `--json` have all of it. */
const widest = 60

const line = (cells: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  cells
    .map((cell, index) => Text.pad(cell, widths[index] ?? 0))
    .join("  ")
    .trimEnd()

/** Sets items in columns; `none` is the sentence for an empty list. */
export const table = <A>(columns: ReadonlyArray<Column<A>>, items: ReadonlyArray<A>, none: string): string => {
  if (items.length === 0) return none
  const head = columns.map(([name]) => name.toUpperCase())
  const rows = items.map((item) => columns.map(([, cell]) => Text.clip(Text.printable(cell(item)), widest) || blank))
  const widths = head.map((name, index) => Math.max(name.length, ...rows.map((row) => Text.width(row[index]!))))
  return [heading(line(head, widths)), ...rows.map((cells) => line(cells, widths))].join("\n")
}

/** Sets one thing as `name  value` lines; a line without a value is left out. */
export const fields = (entries: ReadonlyArray<readonly [name: string, value: string | null | undefined]>): string => {
  const shown = entries.filter(([, value]) => value != null && value !== "")
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${Text.printable(value!)}`).join("\n")
}
