/**
 * The server on the far side of the tunnels: it serves and takes as many bytes as it is asked for, over plain HTTP, and
 * counts at its sockets. Every request carries a token, and what passed is kept by it: heads and bodies, for both are
 * payload to a tunnel.
 *
 * `GET /down?token=…&bytes=…&rate=…` answers that many bytes at that many bytes per second (0: at once).
 * `POST /up?token=…&bytes=…` takes that many.
 */
import { once } from "node:events"
import { createServer, type Socket } from "node:net"
import { setImmediate as breathe, setTimeout as sleep } from "node:timers/promises"
import * as Namespace from "./Namespace.ts"

/** What one connection carried, counted at the origin's socket. */
export interface Connection {
  /** Bytes read from the socket. */
  received: number
  /** Bytes the kernel has taken. */
  sent: number
  /** When the first byte came, ms since the epoch. */
  readonly openedAt: number
  closedAt: number | undefined
  /** Everything that was asked for has passed and both sides have ended in order. */
  isWhole: boolean
}

/** What all connections with a token carried. */
export interface Count {
  readonly connections: number
  readonly received: bigint
  readonly sent: bigint
}

export interface Origin {
  readonly host: string
  readonly port: number
  readonly connections: (token: string) => ReadonlyArray<Connection>
  readonly count: (token: string) => Count
  readonly close: () => void
}

const chunk = Buffer.alloc(65_536, "x")

/** Between two writes at a rate, ms. What a second has not taken is not made up for. */
const tick = 20
const longestHead = 8192

/** Writes, and answers when the kernel has taken it; false when the connection is gone. */
const put = (socket: Socket, data: Buffer, connection: Connection): Promise<boolean> =>
  new Promise((resolve) => {
    socket.write(data, (error) => {
      if (error == null) connection.sent += data.length
      resolve(error == null)
    })
  })

const send = async (socket: Socket, connection: Connection, bytes: number, rate: number) => {
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\nConnection: close\r\n\r\n`)
  if (!(await put(socket, head, connection))) return
  let last = performance.now()
  let credit = 0
  for (let done = 0; done < bytes;) {
    await (rate === 0 ? breathe() : sleep(tick))
    const now = performance.now()
    credit = rate === 0 ? bytes : Math.min(rate, credit + (rate * (now - last)) / 1000)
    last = now
    while (done < bytes && credit >= 1) {
      const part = chunk.subarray(0, Math.min(chunk.length, bytes - done, Math.floor(credit)))
      if (socket.destroyed || !(await put(socket, part, connection))) return
      done += part.length
      credit -= part.length
      await breathe()
    }
  }
  connection.isWhole = true
  socket.end()
}

const take = async (socket: Socket, connection: Connection, wanted: number) => {
  while (connection.received < wanted) {
    if (socket.destroyed) return
    await sleep(5)
  }
  connection.isWhole = await put(
    socket,
    Buffer.from("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    connection
  )
  socket.end()
}

/** Starts an origin, on the address that only a tunnel's far end talks to. */
export const start = async (host: string = Namespace.originAddress): Promise<Origin> => {
  const byToken = new Map<string, Array<Connection>>()
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection: Connection = { received: 0, sent: 0, openedAt: Date.now(), closedAt: undefined, isWhole: false }
    let head: string | undefined = ""
    sockets.add(socket)
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      sockets.delete(socket)
      connection.closedAt = Date.now()
    })
    socket.on("data", (data: Buffer) => {
      connection.received += data.length
      if (head === undefined) return
      head += data.toString("latin1")
      const end = head.indexOf("\r\n\r\n")
      if (end < 0) return head.length > longestHead ? socket.destroy() : undefined
      const url = new URL(head.split(" ")[1] ?? "/", "http://origin")
      head = undefined
      const token = url.searchParams.get("token") ?? ""
      byToken.set(token, [...(byToken.get(token) ?? []), connection])
      const bytes = Number(url.searchParams.get("bytes"))
      if (url.pathname === "/down") void send(socket, connection, bytes, Number(url.searchParams.get("rate") ?? 0))
      else void take(socket, connection, end + 4 + bytes)
    })
  })
  server.listen(0, host)
  await once(server, "listening")
  const connections = (token: string) => byToken.get(token) ?? []
  const sum = (token: string, key: "received" | "sent") =>
    connections(token).reduce((total, connection) => total + BigInt(connection[key]), 0n)
  return {
    host,
    port: (server.address() as { readonly port: number }).port,
    connections,
    count: (token) => ({
      connections: connections(token).length,
      received: sum(token, "received"),
      sent: sum(token, "sent")
    }),
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}
