/**
 * HTTP/1.1 over one kept connection, one request at a time, as cheap as it gets. A connection is used again only while
 * the server's own `Keep-Alive` says that it will still be there, as the agent's `fetch` does.
 */
import { type Socket, connect } from "node:net"

export interface Request {
  readonly method: "GET" | "POST"
  readonly path: string
  /** Whole header lines, each with its line end. */
  readonly headers: string
  readonly body?: Buffer
  /** Milliseconds the answer may take. */
  readonly within: number
  /** Cuts the connection once the request was handed to it. */
  readonly isCut?: boolean
}

export interface Answer {
  readonly status: number
  readonly body: string
  readonly milliseconds: number
}

/** There was no answer; `kind` says why: the system's error code, `timeout`, `closed`, `cut` or `malformed`. */
export class Broken extends Error {
  readonly kind: string
  constructor(kind: string) {
    super(kind)
    this.kind = kind
  }
}

export interface Line {
  readonly ask: (request: Request) => Promise<Answer>
  /** Closes the connection; what waits is broken off. */
  readonly close: () => void
}

interface Head {
  readonly status: number
  /** Where the body begins. */
  readonly end: number
  /** Bytes of the body; null when it comes in chunks. */
  readonly length: number | null
  readonly isClosing: boolean
  /** Seconds an idle connection is kept. */
  readonly kept: number
}

const headOf = (received: Buffer): Head | undefined => {
  const end = received.indexOf("\r\n\r\n")
  if (end < 0) return undefined
  const text = received.toString("latin1", 0, end)
  const field = (pattern: RegExp) => pattern.exec(text)?.[1]
  const status = Number(field(/^HTTP\/1\.1 (\d{3})/))
  if (!Number.isInteger(status)) throw new Broken("malformed")
  const isChunked = /\r\ntransfer-encoding: *chunked/i.test(text)
  const length = status === 204 || status === 304 ? 0 : Number(field(/\r\ncontent-length: *(\d+)/i) ?? 0)
  return {
    status,
    end: end + 4,
    length: isChunked ? null : length,
    isClosing: /\r\nconnection: *close/i.test(text),
    kept: Number(field(/\r\nkeep-alive: *timeout=(\d+)/i) ?? 4)
  }
}

/** The whole chunked body, or undefined while some of it is missing. */
const chunked = (received: Buffer, start: number): string | undefined => {
  const parts: Array<string> = []
  for (let at = start; ;) {
    const line = received.indexOf("\r\n", at)
    if (line < 0) return undefined
    const size = Number.parseInt(received.toString("latin1", at, line), 16)
    if (!Number.isInteger(size)) throw new Broken("malformed")
    if (received.length < line + 4 + size) return undefined
    if (size === 0) return parts.join("")
    parts.push(received.toString("latin1", line + 2, line + 2 + size))
    at = line + 4 + size
  }
}

const bodyOf = (received: Buffer, { end, length }: Head): string | undefined => {
  if (length === null) return chunked(received, end)
  return received.length < end + length ? undefined : received.toString("utf8", end, end + length)
}

/** How much earlier than the server says an idle connection is given up, milliseconds. */
const margin = 1000

/** Makes a line to a server; it connects with the first request. */
export const make = (url: string): Line => {
  const { hostname, port } = new URL(url)
  let kept: { readonly socket: Socket; readonly until: number } | undefined
  let breakOff: (() => void) | undefined

  const take = (): Socket => {
    const found = kept
    kept = undefined
    if (found !== undefined && !found.socket.destroyed && performance.now() < found.until) {
      found.socket.removeAllListeners("error").removeAllListeners("close")
      return found.socket
    }
    found?.socket.destroy()
    return connect(Number(port), hostname).setNoDelay(true)
  }

  const keep = (socket: Socket, { isClosing, kept: seconds }: Head) => {
    socket.removeAllListeners("error").removeAllListeners("close").removeAllListeners("data")
    socket.on("error", () => socket.destroy())
    if (isClosing) socket.destroy()
    else kept = { socket, until: performance.now() + seconds * 1000 - margin }
  }

  const ask = ({ body, headers, isCut, method, path, within }: Request) =>
    new Promise<Answer>((resolve, reject) => {
      const began = performance.now()
      const socket = take()
      let received: Buffer = Buffer.alloc(0)
      let isSettled = false
      const settle = () => {
        isSettled = true
        clearTimeout(timer)
        breakOff = undefined
      }
      const fail = (kind: string) => {
        if (isSettled) return
        settle()
        socket.removeAllListeners("close").removeAllListeners("data")
        socket.destroy()
        reject(new Broken(kind))
      }
      const timer = setTimeout(() => fail("timeout"), within)
      breakOff = () => fail("stopped")
      const see = (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
        const head = headOf(received)
        const text = head === undefined ? undefined : bodyOf(received, head)
        if (head === undefined || text === undefined) return
        settle()
        keep(socket, head)
        resolve({ status: head.status, body: text, milliseconds: performance.now() - began })
      }
      socket.on("error", (cause: NodeJS.ErrnoException) => fail(cause.code ?? "closed"))
      socket.on("close", () => fail("closed"))
      socket.on("data", (chunk: Buffer) => {
        try {
          see(chunk)
        } catch {
          fail("malformed")
        }
      })
      const length = body === undefined ? "" : `content-length: ${body.length}\r\n`
      const head = `${method} ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n${headers}${length}\r\n`
      const sent = () => (isCut === true ? fail("cut") : undefined)
      if (body === undefined) socket.write(head, sent)
      else socket.write(Buffer.concat([Buffer.from(head, "latin1"), body]), sent)
    })

  return {
    ask,
    close: () => {
      breakOff?.()
      kept?.socket.destroy()
      kept = undefined
    }
  }
}
