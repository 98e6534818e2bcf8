/** Loopback ports for a run's own APIs. */
import { Effect } from "effect"
import { randomInt } from "node:crypto"
import { createServer } from "node:net"

/** Below the range that Linux takes ports for outgoing connections from, so that none is taken before the start. */
const range = { from: 20_000, to: 32_000 }

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer().once("error", () => resolve(false))
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)))
  })

/** A free TCP port on 127.0.0.1 that is none of `taken`. */
export const free = (taken: ReadonlySet<number>): Effect.Effect<number> =>
  Effect.promise(async () => {
    while (true) {
      const port = randomInt(range.from, range.to)
      if (!taken.has(port) && (await isFree(port))) return port
    }
  })
