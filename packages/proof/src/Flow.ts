/**
 * One connection through a client's tunnel to the origin, counted at the client's own socket: every payload byte in and
 * out, the SOCKS handshake left aside. It knows whether it ended whole or was cut, and when.
 */
import { randomUUID } from "node:crypto"
import { connect, type Socket } from "node:net"
import { setImmediate as breathe } from "node:timers/promises"
import type { Origin } from "./Origin.ts"

export type Ending =
  /** Everything that was asked for has passed. */
  | "whole"
  /** The far side ended it before. */
  | "cut"
  /** It never let a payload byte back. */
  | "refused"
  /** It ended, or was ended, by our own hand: closed, or out of time. */
  | "closed"

export interface Sample {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly received: number
}

export interface Flow {
  /** What the origin keeps its count under. */
  readonly token: string
  readonly startedAt: number
  /** Payload bytes written and read at the client's socket. */
  readonly sent: number
  readonly received: number
  readonly firstByteAt: number | undefined
  readonly lastByteAt: number | undefined
  readonly endedAt: number | undefined
  /** Every 100 ms since the first byte. */
  readonly samples: ReadonlyArray<Sample>
  readonly isOpen: boolean
  /** Everything that was asked for has passed. */
  readonly isWhole: boolean
  /** Answers how it ended; never fails. */
  readonly end: Promise<Ending>
  readonly close: () => void
}

export interface Request {
  readonly direction: "down" | "up"
  readonly bytes: number
  /** Bytes per second, downloads only; 0 or absent: as fast as it goes. */
  readonly rate?: number
  /** The tag the origin counts under; a fresh one by default. */
  readonly token?: string
  /** Milliseconds after which the client gives up. */
  readonly timeout?: number
}

const sampleEvery = 100
const filler = Buffer.alloc(65_536, "y")

const address = (host: string, port: number) =>
  Buffer.from([5, 1, 0, 1, ...host.split(".").map(Number), port >> 8, port & 255])

/** Reads exactly `length` bytes of the SOCKS handshake; what follows stays in the socket. */
const exactly = async (socket: Socket, length: number): Promise<Buffer> => {
  for (;;) {
    const read = socket.read(length) as Buffer | null
    if (read !== null && read.length === length) return read
    if (socket.readableEnded || socket.destroyed) throw new Error("the proxy closed the connection")
    await new Promise<void>((resolve) => {
      const go = () => {
        for (const name of ["readable", "end", "close"]) socket.off(name, go)
        resolve()
      }
      for (const name of ["readable", "end", "close"]) socket.once(name, go)
    })
  }
}

const handshake = async (socket: Socket, host: string, port: number) => {
  socket.write(Buffer.from([5, 1, 0]))
  await exactly(socket, 2)
  socket.write(address(host, port))
  const answer = await exactly(socket, 10)
  if (answer[1] !== 0) throw new Error("the proxy refused the connection")
}

class SocksFlow implements Flow {
  readonly token: string
  readonly startedAt = Date.now()
  readonly samples: Array<Sample> = []
  readonly end: Promise<Ending>
  sent = 0
  received = 0
  firstByteAt: number | undefined
  lastByteAt: number | undefined
  endedAt: number | undefined
  readonly #socket: Socket
  #isClosedByUs = false
  #tail = ""
  #whole = -1

  constructor(proxy: number, origin: Pick<Origin, "host" | "port">, request: Request) {
    this.token = request.token ?? randomUUID()
    const socket = (this.#socket = connect({ host: "127.0.0.1", port: proxy, noDelay: true, allowHalfOpen: true }))
    socket.on("error", () => socket.destroy())
    const timer = request.timeout === undefined ? undefined : setTimeout(() => this.close(), request.timeout)
    const sampler = setInterval(() => {
      if (this.firstByteAt !== undefined) this.samples.push({ at: Date.now(), received: this.received })
    }, sampleEvery)
    this.end = new Promise((resolve) => {
      socket.once("close", () => {
        clearTimeout(timer)
        clearInterval(sampler)
        this.endedAt = Date.now()
        resolve(this.#ending())
      })
    })
    void this.#talk(origin, request).catch(() => socket.destroy())
  }

  get isOpen(): boolean {
    return this.endedAt === undefined
  }

  get isWhole(): boolean {
    return this.#whole >= 0 && this.received === this.#whole
  }

  close = (): void => {
    this.#isClosedByUs = true
    this.#socket.destroy()
  }

  #ending(): Ending {
    if (this.isWhole) return "whole"
    if (this.#isClosedByUs) return this.received === 0 ? "refused" : "closed"
    return this.received === 0 ? "refused" : "cut"
  }

  async #talk(origin: Pick<Origin, "host" | "port">, { bytes, direction, rate = 0 }: Request): Promise<void> {
    const socket = this.#socket
    await handshake(socket, origin.host, origin.port)
    socket.on("data", (data: Buffer) => this.#read(data))
    socket.on("end", () => socket.end())
    const method = direction === "down" ? "GET" : "POST"
    const head = `${method} /${direction}?token=${this.token}&bytes=${bytes}&rate=${rate} HTTP/1.1\r\nHost: ${origin.host}\r\n\r\n`
    await this.#write(Buffer.from(head))
    if (direction === "down") return
    for (let left = bytes; left > 0 && !socket.destroyed; left -= Math.min(left, filler.length)) {
      await this.#write(filler.subarray(0, Math.min(left, filler.length)))
      await breathe()
    }
  }

  #write(data: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(data, (error) => {
        if (error != null) return reject(error)
        this.sent += data.length
        resolve()
      })
    })
  }

  #read(data: Buffer): void {
    this.lastByteAt = Date.now()
    this.firstByteAt ??= this.lastByteAt
    this.received += data.length
    if (this.#whole >= 0) return
    this.#tail += data.subarray(0, 1024).toString("latin1")
    const end = this.#tail.indexOf("\r\n\r\n")
    if (end < 0) return
    this.#whole = end + 4 + Number(/content-length: (\d+)/i.exec(this.#tail)?.[1] ?? 0)
  }
}

/** Opens a connection through the SOCKS port `proxy` and makes one request. */
export const open = (proxy: number, origin: Pick<Origin, "host" | "port">, request: Request): Flow =>
  new SocksFlow(proxy, origin, request)

/** The longest time without a new byte between the samples of a flow, ms; seen from the first to the last. */
export const longestGap = ({ samples }: Pick<Flow, "samples">): number => {
  let since = samples[0]?.at ?? 0
  let longest = 0
  for (const [index, { at, received }] of samples.entries()) {
    if (index > 0 && received > samples[index - 1]!.received) {
      longest = Math.max(longest, at - since)
      since = at
    }
  }
  return Math.max(longest, (samples.at(-1)?.at ?? since) - since)
}
