/** The server's directory: its own user's alone, one server at a time, with a socket for the command line. */
import { Effect } from "effect"
import * as fs from "node:fs"
import { answers, noteOf, readNote, socketOf } from "../client/RunningServer.ts"
import type { Note } from "../client/RunningServer.ts"
import { failed } from "../Failed.ts"

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A unix socket's path has room for so many bytes (Linux: 108, with the final zero). */
const longestSocket = 107

/** Makes the directory where there is none, and its mode 700: who may enter it may act as the system. */
export const make = (directory: string) =>
  Effect.try({
    try: () => {
      fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
      fs.chmodSync(directory, 0o700)
    },
    catch: (error) => failed(`the data directory cannot be made: ${reason(error)}`)
  })

/** Clears the way for the socket: removes what a dead server left, refuses while one is alive. */
export const claim = Effect.fn("DataDirectory.claim")(function* (directory: string) {
  const socket = socketOf(directory)
  if (Buffer.byteLength(socket) > longestSocket)
    return yield* failed(
      `${socket}: a socket's path has at most ${longestSocket} bytes; choose a shorter --data-directory`
    )
  if (yield* answers(socket)) {
    const note = yield* readNote(directory)
    const who = note === null ? "" : ` (process ${note.pid}, ${note.url})`
    return yield* failed(
      `a server already runs on ${directory}${who}: stop it first, or talk to it, as in \`vpnmgr status\``
    )
  }
  yield* Effect.sync(() => {
    fs.rmSync(socket, { force: true })
    fs.rmSync(noteOf(directory), { force: true })
  })
  return socket
})

/** Leaves the note of who serves, until the scope closes. A disk too full for it keeps nobody from serving. */
export const announce = (directory: string, note: Note) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => fs.writeFileSync(noteOf(directory), `${JSON.stringify(note)}\n`, { mode: 0o600 }),
      catch: reason
    }).pipe(
      Effect.catch((detail) =>
        Effect.logWarning("the note of who serves here was not written: the command line will not name this process", {
          detail
        })
      )
    ),
    () => Effect.sync(() => fs.rmSync(noteOf(directory), { force: true }))
  )
