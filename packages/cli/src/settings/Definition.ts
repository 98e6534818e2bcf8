/**
 * A table of settings: for each its codec, what it means and its default. The Schema, the flags, the names in the
 * environment and the guide all follow from the table.
 */
import type { Schema } from "effect"

/** One setting. `standard` is the default as a person would write it; null where there is none. */
export interface Definition {
  readonly of: Schema.Constraint
  readonly meaning: string
  readonly standard: string | null
  /** Never a flag, never shown, and `NAME_FILE` may point to a file that holds it. */
  readonly secret?: true
  /** What stands after the flag in its help. */
  readonly metavar?: string
}

/** Settings by their TypeScript name. */
export type Definitions = Readonly<Record<string, Definition>>

/** The Schema's fields for a table of settings. */
export type Fields<D extends Definitions> = { readonly [K in keyof D]: D[K]["of"] }

/** Gathers the table's codecs into the fields of one Schema. */
export const fields = <const D extends Definitions>(definitions: D): Fields<D> =>
  Object.fromEntries(Object.entries(definitions).map(([key, { of }]) => [key, of])) as Fields<D>

/** `dataDirectory` → `data_directory`, the name in `vpnmgr.toml`. */
export const nameOf = (key: string): string => key.replaceAll(/[A-Z0-9]+/g, (part) => `_${part.toLowerCase()}`)

/** `dataDirectory` → `VPNMGR_DATA_DIRECTORY`. */
export const variableOf = (key: string): string => `VPNMGR_${nameOf(key).toUpperCase()}`

/** `dataDirectory` → `data-directory`. */
export const flagOf = (key: string): string => nameOf(key).replaceAll("_", "-")
