/**
 * The listening socket's own bounds: how long somebody may take to send a request, how much of headers, how many
 * connections. What is refused here never becomes a request, so it is answered by hand, as a problem too.
 */
import * as http from "node:http"
import * as https from "node:https"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Problem } from "@vpnmgr/api"

/** Milliseconds until the headers, and until the body, must be there; bytes of the request line and all headers. */
export interface Bounds {
  readonly headersTimeout: number
  readonly requestTimeout: number
  /** Longer than the 10 s between two reports of an agent, or each would come over a connection of its own. */
  readonly keepAliveTimeout: number
  readonly connectionsCheckingInterval: number
  readonly maxHeaderSize: number
  readonly maxConnections: number
}

export const standard: Bounds = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16_384,
  maxConnections: 10_000
}

const problemOf = (code: string | undefined): Problem.Problem => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new Problem.HeadersTooLarge({ detail: "The request line and the headers are larger than allowed" })
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new Problem.TooSlow({ detail: "The request did not arrive in time" })
    default:
      return new Problem.Malformed({ detail: "This is not HTTP" })
  }
}

const answer = (error: NodeJS.ErrnoException, socket: Duplex & { readonly bytesWritten?: number }): void => {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy()
  const { type, title, status, code, detail } = problemOf(error.code)
  const body = JSON.stringify({ type, title, status, code, detail })
  const head = [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "cache-control: no-store",
    "connection: close"
  ]
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy())
}

/** How often a server that closes looks for connections on which nothing is asked, milliseconds. */
const sweep = 50

/**
 * Lets a server that closes wait for requests under way, and for nothing else. Node ends what is idle at that moment; what
 * becomes idle later would last as long as whoever asked keeps it, and what never carried a request for ever.
 */
const withoutIdlers = (server: http.Server): http.Server => {
  const open = new Set<Socket>()
  server.on(server instanceof https.Server ? "secureConnection" : "connection", (socket: Socket) => {
    open.add(socket)
    socket.once("close", () => open.delete(socket))
  })
  const { close } = server
  server.close = (closed) => {
    const look = () => {
      server.closeIdleConnections()
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
    }
    const looking = setInterval(look, sweep)
    return close.call(server, (error) => {
      clearInterval(looking)
      closed?.(error)
    })
  }
  return server
}

/** Makes a server with these bounds; over TLS where it is given a certificate. */
export const createServer = (
  tls: Pick<https.ServerOptions, "cert" | "key"> | null = null,
  { maxConnections, ...bounds }: Bounds = standard
): http.Server => {
  const server = tls === null ? http.createServer(bounds) : https.createServer({ ...bounds, ...tls })
  server.maxConnections = maxConnections
  return withoutIdlers(server.on("clientError", answer))
}
