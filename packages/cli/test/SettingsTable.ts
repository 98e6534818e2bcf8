/** The tables of `docs/guide/settings.md`, made of the definitions; a test compares them. */
import type { Definitions } from "../src/settings/Definition.ts"
import { nameOf, variableOf } from "../src/settings/Definition.ts"

/** One row for each setting. */
export const table = (definitions: Definitions): string =>
  [
    "| name | environment | default | meaning |",
    "|---|---|---|---|",
    ...Object.entries(definitions).map(([key, { meaning, secret, standard }]) => {
      const file = secret === true ? `, \`${variableOf(key)}_FILE\`` : ""
      return `| \`${nameOf(key)}\` | \`${variableOf(key)}\`${file} | ${standard === null ? "" : `\`${standard}\``} | ${meaning} |`
    })
  ].join("\n")
