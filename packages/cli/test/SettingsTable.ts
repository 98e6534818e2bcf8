/** The tables of `docs/guide/settings.md`, made of the definitions; a test compares them. */
import type { Definition, Definitions } from "../src/settings/Definition.ts"
import { nameOf, variableOf } from "../src/settings/Definition.ts"

const row = ([key, { meaning, secret, standard }]: readonly [string, Definition]): string => {
  const file = secret === true ? `, \`${variableOf(key)}_FILE\`` : ""
  return `| \`${nameOf(key)}\` | \`${variableOf(key)}\`${file} | ${standard === null ? "" : `\`${standard}\``} | ${meaning} |`
}

/** One row for each setting. */
export const table = (definitions: Definitions): string =>
  ["| name | environment | default | meaning |", "|---|---|---|---|", ...Object.entries(definitions).map(row)].join(
    "\n"
  )
