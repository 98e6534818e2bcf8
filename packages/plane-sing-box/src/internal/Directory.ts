/** The working directory: who may use it, and how its files are written so that a crash leaves the old or the new. */
import { Effect, Schema, type Scope } from "effect"
import { chmod, mkdir, open, readFile, rename } from "node:fs/promises"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, type Failure, unreachable } from "./Failure.ts"

/** Another agent uses the directory, and lives. */
export class DirectoryInUse extends Schema.TaggedError<DirectoryInUse>()("DirectoryInUse", {
  directory: Schema.String
}) {}

/**
 * Makes the directory (mode 700) and holds it for the life of the scope. The lock is SQLite's own on a file, so that it
 * ends with the process, however that ends, and holds within one process too.
 */
export const hold = (directory: string): Effect.Effect<void, DirectoryInUse, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await chmod(directory, 0o700)
      return new DatabaseSync(join(directory, "lock.db"))
    }),
    (lock) => Effect.sync(() => lock.close())
  ).pipe(
    Effect.flatMap((lock) =>
      Effect.try({
        try: () => lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"),
        catch: () => new DirectoryInUse({ directory })
      })
    )
  )

/** Writes a file (mode 600) whole or not at all: a temporary one, fsync, rename, fsync of the directory. */
export const write = (path: string, content: string): Effect.Effect<void, Failure> =>
  Effect.tryPromise({
    try: async () => {
      await using file = await open(`${path}.new`, "w", 0o600)
      await file.writeFile(content)
      await file.sync()
      await rename(`${path}.new`, path)
      await using directory = await open(dirname(path), "r")
      await directory.sync()
    },
    catch: (cause) => unreachable(`cannot write ${path}: ${describe(cause)}`)
  })

/** A file's text; `undefined` when there is none. */
export const read = (path: string): Effect.Effect<string | undefined> =>
  Effect.promise(() => readFile(path, "utf8").catch(() => undefined))
