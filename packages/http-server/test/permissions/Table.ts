/** The table of `docs/guide/permissions.md`, as the test reads it. */
import { readFileSync } from "node:fs"

/** The columns, in order; the titles are the guide's. */
export const columns = {
  nobody: "nobody",
  own: "operator: its own",
  others: "another's",
  unowned: "nobody's",
  superuser: "superuser",
  acting: "acting for it",
  nodeKey: "a node's key"
} as const
export type Column = keyof typeof columns

const answers = ["ok", "own", "401", "403", "404", "-"] as const
export type Answer = (typeof answers)[number]

export type Row = { readonly operation: string } & { readonly [K in Column]: Answer }

const cells = (line: string) =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("`", ""))

const row = (line: string): Row => {
  const [operation = "", ...found] = cells(line)
  const entries = Object.keys(columns).map((column, index) => {
    const answer = answers.find((known) => known === found[index])
    if (answer === undefined)
      throw new Error(`${operation}, ${column}: expected ${answers.join(", ")}: ${found[index]}`)
    return [column, answer]
  })
  return { operation, ...Object.fromEntries(entries) }
}

/** Reads a page: the rows of every table whose first column is `operation`. */
export const parse = (page: string): ReadonlyArray<Row> =>
  page.split(/\n\s*\n/).flatMap((block) => {
    const [head = "", , ...lines] = block.split("\n").filter((line) => line.startsWith("|"))
    const [first, ...titles] = cells(head)
    if (first !== "operation") return []
    const expected = Object.values(columns)
    if (titles.join() !== expected.join())
      throw new Error(`the columns are ${titles.join()}, expected ${expected.join()}`)
    return lines.map(row)
  })

/** The guide's. */
export const rows = parse(readFileSync(new URL("../../../../docs/guide/permissions.md", import.meta.url), "utf8"))
