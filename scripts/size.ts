/**
 * Checks that files stay readable in one sitting: half of a package's sources have at most 130 lines, and one above 400
 * gives its reason in its opening comment (a sentence that says "one file" and why).
 */
import { globSync, readFileSync } from "node:fs"

const wanted = { median: 130, most: 400 }

const files = globSync("packages/*/src/**/*.ts")
  .map((path) => {
    const text = readFileSync(path, "utf8")
    return { path, lines: text.split("\n").length - 1, opening: /^\s*\/\*\*?([\s\S]*?)\*\//.exec(text)?.[1] ?? "" }
  })
  .toSorted((a, b) => a.lines - b.lines)

const median = files[Math.floor((files.length - 1) / 2)]?.lines ?? 0
const tooLong = files.filter(({ lines, opening }) => lines > wanted.most && !/\bone file\b/i.test(opening))
const longest = files.at(-1)

for (const { path, lines } of tooLong) console.log(`${path}: ${lines} lines and no reason in its opening comment`)
if (median > wanted.median) console.log(`the median is above ${wanted.median} lines`)
console.log(`${files.length} files, median ${median} lines, longest ${longest?.lines} (${longest?.path})`)
process.exitCode = tooLong.length > 0 || median > wanted.median ? 1 : 0
