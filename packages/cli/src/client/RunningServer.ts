/**
 * What a running server leaves in its data directory for the command line: a socket that only its own user may open,
 * and a note of where else it listens. Both go with the process.
 */
import { Effect, Schema } from "effect"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"

/** Who serves, and where: `url` as it listens, `publicUrl` as clients reach it. */
export const Note = Schema.Struct({ pid: Schema.Int, url: Schema.String, publicUrl: Schema.String })
export type Note = typeof Note.Type

/** The socket of the server of a data directory. */
export const socketOf = (directory: string): string => path.resolve(directory, "vpnmgr.sock")

/** The note of the server of a data directory. */
export const noteOf = (directory: string): string => path.resolve(directory, "running.json")

/** Reads the note; null where there is none. */
export const readNote = (directory: string): Effect.Effect<Note | null> =>
  Effect.try(() => fs.readFileSync(noteOf(directory), "utf8")).pipe(
    Effect.flatMap(Schema.decodeEffect(Schema.fromJsonString(Note))),
    Effect.catch(() => Effect.succeed(null))
  )

/** True when a process answers at the socket. */
export const answers = (socket: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const connection = net.connect(socket)
    connection.once("connect", () => {
      connection.destroy()
      resume(Effect.succeed(true))
    })
    connection.once("error", () => resume(Effect.succeed(false)))
  })
