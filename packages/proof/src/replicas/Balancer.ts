/**
 * A TCP balancer in front of several servers: each connection goes to the next one that takes it. Where it is told to, it
 * asks each whether it is ready, and passes over who does not say so in a second.
 */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as Namespace from "../Namespace.ts"

export interface Balancer {
  readonly url: string
  /** How many connections each server was given, by its port. */
  readonly given: ReadonlyMap<number, number>
  /** Breaks every connection that is open; new ones are taken. Answers how many there were. */
  readonly cut: () => number
  readonly close: () => void
}

/** Starts a balancer over servers on loopback, by their ports. */
export const start = async (
  ports: ReadonlyArray<number>,
  options: { readonly asks?: boolean } = {}
): Promise<Balancer> => {
  const given = new Map<number, number>(ports.map((port) => [port, 0]))
  const sockets = new Set<Socket>()
  const away = new Set<number>()
  let turn = 0

  const look = async (port: number) => {
    const isReady = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(1000) }).then(
      (response) => response.ok,
      () => false
    )
    if (isReady) away.delete(port)
    else away.add(port)
  }
  const looking = options.asks === true ? setInterval(() => ports.forEach((port) => void look(port)), 500) : undefined

  const pass = (from: Socket, tries: number) => {
    if (tries === ports.length) return from.destroy()
    const port = ports[turn++ % ports.length]!
    if (away.has(port) && tries < ports.length - 1) return pass(from, tries + 1)
    const to = connect(port, "127.0.0.1")
    sockets.add(to)
    to.once("close", () => sockets.delete(to))
    let isConnected = false
    to.on("error", () => (isConnected ? from.destroy() : pass(from, tries + 1)))
    to.once("connect", () => {
      isConnected = true
      if (from.destroyed) return to.destroy()
      given.set(port, (given.get(port) ?? 0) + 1)
      from.pipe(to).pipe(from)
      from.once("close", () => to.destroy())
      to.once("close", () => from.destroy())
      return undefined
    })
    return undefined
  }

  const server = createServer((from) => {
    sockets.add(from)
    from.on("error", () => from.destroy())
    from.once("close", () => sockets.delete(from))
    pass(from, 0)
  })
  const port = Namespace.freePort()
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${port}`,
    given,
    cut: () => {
      const { size } = sockets
      for (const socket of sockets) socket.resetAndDestroy()
      return size >> 1
    },
    close: () => {
      clearInterval(looking)
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}
