/** A server on the far side of the tunnel: it sends as many bytes as it is asked for, and counts what it sees. */
import { once } from "node:events"
import { createServer, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import * as X509 from "../src/internal/X509.ts"

/** An address that is public by its number, and local in the namespace. */
export const host = "203.0.113.10"

const chunk = Buffer.alloc(16_384, "x")
const tick = 20

/**
 * How long the origin thinks before it answers, ms. A Shadowsocks client of sing-box 1.12 that is answered sooner than it
 * has noted its own salt gives up with "bad request salt": seen on loopback, where nothing takes time.
 */
const thought = 50

export interface Origin {
  readonly port: number
  /** Bytes handed to the kernel for clients. */
  sent: number
  /** Bytes received from clients. */
  received: number
  readonly close: () => void
}

const send = (origin: Origin, socket: Socket, bytes: number, perSecond: number) => {
  let left = bytes
  const push = (most: number) => {
    for (let now = Math.min(most, left); now > 0; now -= chunk.length) {
      const part = chunk.subarray(0, Math.min(now, chunk.length))
      left -= part.length
      origin.sent += part.length
      socket.write(part)
    }
    if (left === 0) socket.end()
  }
  if (perSecond === 0) return push(bytes)
  const timer = setInterval(() => push(Math.ceil((perSecond * tick) / 1000)), tick)
  socket.on("close", () => clearInterval(timer))
  socket.on("finish", () => clearInterval(timer))
}

/** Understands `down <bytes> <bytes per second, 0 = at once>` and `up <bytes>`, each a line. */
export const start = async (address: string = host): Promise<Origin> => {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    let head = ""
    let awaited = 0
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
    socket.on("data", (data: Buffer) => {
      origin.received += data.length
      if (awaited > 0) awaited -= data.length
      else {
        head += data.toString("latin1")
        const line = head.indexOf("\n")
        if (line < 0) return
        const [verb, bytes, perSecond] = head.slice(0, line).split(" ")
        if (verb === "down") return setTimeout(send, thought, origin, socket, Number(bytes), Number(perSecond))
        awaited = Number(bytes) - (head.length - line - 1)
      }
      if (awaited === 0) socket.end("ok")
    })
  })
  server.listen(0, address)
  await once(server, "listening")
  const origin: Origin = {
    port: (server.address() as { port: number }).port,
    sent: 0,
    received: 0,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
  return origin
}

/** The foreign TLS 1.3 server that REALITY shows to strangers. */
export const startForeign = async (
  serverName: string
): Promise<{ readonly port: number; readonly close: () => void }> => {
  const day = 86_400_000
  const { certificate, key } = X509.selfSigned({
    serverName,
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + day)
  })
  const server = createTlsServer({ cert: certificate, key, minVersion: "TLSv1.3" }, (socket) => {
    socket.on("error", () => {})
    socket.end("HTTP/1.1 204 No Content\r\n\r\n")
  })
  server.on("tlsClientError", () => {})
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return { port: (server.address() as { port: number }).port, close: () => server.close() }
}
