/**
 * A way to PostgreSQL that swallows notifications: the connection that said LISTEN stays open and looks well, and from a
 * moment on nothing comes through it. What the rest of the pool sends and gets passes.
 */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as Namespace from "../Namespace.ts"

export interface Deaf {
  /** The database's URL, through here. */
  readonly url: string
  /** Swallows from now on whatever comes to a connection that listens; answers how many there are. */
  readonly close: () => number
  readonly end: () => void
}

/** Opens the way; everything passes until it is closed. */
export const open = async (databaseUrl: string): Promise<Deaf> => {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  const listening = new Set<Socket>()
  let isClosed = false

  const server = createServer((from) => {
    const to = connect(Number(target.port), target.hostname)
    for (const [socket, other] of [
      [from, to],
      [to, from]
    ] as const) {
      sockets.add(socket)
      socket.on("error", () => other.destroy())
      socket.once("close", () => {
        sockets.delete(socket)
        listening.delete(socket)
        other.destroy()
      })
    }
    from.on("data", (part: Buffer) => {
      if (part.includes("LISTEN ")) listening.add(from)
      to.write(part)
    })
    to.on("data", (part: Buffer) => {
      if (!isClosed || !listening.has(from)) from.write(part)
    })
  })
  const port = Namespace.freePort()
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href,
    close: () => {
      isClosed = true
      return listening.size
    },
    end: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}
