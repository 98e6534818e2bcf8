/** A way to PostgreSQL that can be cut: connections stay open and look well, and nothing passes until it is mended. */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as Namespace from "../Namespace.ts"

export interface Cable {
  /** The database's URL, through here. */
  readonly url: string
  readonly cut: () => void
  readonly mend: () => void
  readonly end: () => void
}

/** Lays a cable to a database. */
export const lay = async (databaseUrl: string): Promise<Cable> => {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let isCut = false

  const join = (from: Socket, to: Socket) => {
    sockets.add(from)
    if (isCut) from.pause()
    from.on("data", (part: Buffer) => to.write(part))
    from.on("error", () => to.destroy())
    from.once("close", () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((from) => {
    const to = connect(Number(target.port), target.hostname)
    join(from, to)
    join(to, from)
  })
  const port = Namespace.freePort()
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href,
    cut: () => {
      isCut = true
      for (const socket of sockets) socket.pause()
    },
    mend: () => {
      isCut = false
      for (const socket of sockets) socket.resume()
    },
    end: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}
