/** Writes the generated table of `docs/guide/cli.md`: `node packages/cli/test/regenerate.ts`. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { commandTable } from "./CommandTable.ts"

const guide = fileURLToPath(new URL("../../../docs/guide/cli.md", import.meta.url))
const text = readFileSync(guide, "utf8")
const [before, after] = [text.indexOf("| command |"), text.indexOf("\n\n", text.indexOf("| command |"))]
writeFileSync(guide, text.slice(0, before) + commandTable() + text.slice(after))
