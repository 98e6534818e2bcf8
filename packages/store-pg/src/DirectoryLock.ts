/**
 * An exclusive hold on a data directory for the life of the process. PGlite has none of its own, and two processes on
 * one directory destroy it.
 *
 * The hold is SQLite's exclusive file lock: the kernel lets go of it when the process ends, kill -9 included.
 */
import { Effect, type Scope } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { StartRefused } from "./Failure.ts"

const isBusy = (cause: unknown) => cause instanceof Error && "errcode" in cause && (Number(cause.errcode) & 0xff) === 5

/** Where the holder leaves its process id. What it says counts only while the lock is held. */
const noteIn = (directory: string) => join(directory, "lock.pid")

const holderOf = (directory: string): string => {
  try {
    return ` (${Number.parseInt(readFileSync(noteIn(directory), "utf8"), 10)})`
  } catch {
    return ""
  }
}

const refusal = (directory: string, cause: unknown) =>
  isBusy(cause)
    ? new StartRefused({
        detail: `Another process${holderOf(directory)} works in ${directory}. Stop it first, or talk to it: two on one directory would destroy it.`,
        isHeld: true
      })
    : new StartRefused({
        detail: `The data directory ${directory} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`
      })

/** Makes the directory (mode 700) and holds it until the scope closes. Refuses in words when somebody else does. */
export const hold = (directory: string): Effect.Effect<void, StartRefused, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.try({
        try: () => {
          mkdirSync(directory, { recursive: true, mode: 0o700 })
          const database = new DatabaseSync(join(directory, "lock.sqlite"))
          try {
            database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE")
            writeFileSync(noteIn(directory), `${process.pid}\n`, { mode: 0o600 })
            return database
          } catch (cause) {
            database.close()
            throw cause
          }
        },
        catch: (cause) => refusal(directory, cause)
      }),
      (database) => Effect.sync(() => database.close())
    )
  )
