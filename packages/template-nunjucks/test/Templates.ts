/** Templates in files of their own, for as long as a scope lives. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

/** Writes a template to a file that goes with the scope. */
export const file = (source: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "template-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
    ),
    (directory) => {
      const path = join(directory, "config.njk")
      writeFileSync(path, source)
      return path
    }
  )

/** A template that is a config whatever the state, with `extra` in its log's options. */
export const small = (extra = ""): string => `{
  "log": { "level": "warn"${extra} },
  "inbounds": [],
  "outbounds": [{ "type": "block", "tag": {{ choice | dump }} }],
  "route": { "final": {{ choice | dump }} }
}`
