/** The simulator against a small control plane that keeps books of its own, forgets answers and goes away. */
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { gunzipSync } from "node:zlib"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Simulator from "../src/Simulator.ts"

interface Batch {
  readonly spool: string
  readonly seq: number
  readonly from: string
  readonly to: string
  readonly entries: ReadonlyArray<{ credential: number; inbound: number; bytes_up: number; bytes_down: number }>
}

const state = {
  protocol: "1.0",
  generation: "g",
  revision: 1,
  since: null,
  grain: 3_600_000,
  inbounds: [
    { ref: 7, is_active: true },
    { ref: 8, is_active: false }
  ],
  credentials: [
    ...Array.from({ length: 30 }, (_, n) => ({ ref: n + 1, open: [7, 8], serve_until: null, buckets: [n + 1] })),
    { ref: 31, open: [7], serve_until: null, buckets: [31] },
    { ref: 32, open: [7], serve_until: "2020-01-01T00:00:00.000Z", buckets: [1] }
  ],
  buckets: Array.from({ length: 31 }, (_, n) => ({ ref: n + 1, is_blocked: n + 1 === 31 })),
  removed: { inbounds: [], credentials: [], buckets: [] }
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const whole = Buffer.concat(chunks)
  return (request.headers["content-encoding"] === "gzip" ? gunzipSync(whole) : whole).toString("utf8")
}

/** Counts each batch once, and what came about it. */
const makePlane = () => {
  const seen = new Map<string, string>()
  const sums = new Map<string, { up: number; down: number }>()
  const found = { batches: 0, replays: 0, changed: 0, late: 0, applied: 0, zipped: 0, connections: 0 }
  let highest = new Map<string, number>()
  const sockets = new Set<Socket>()
  let server: Server | undefined

  const take = (text: string): Batch => {
    const { batch } = JSON.parse(text) as { readonly batch: Batch }
    const key = `${batch.spool} ${batch.seq}`
    const known = seen.get(key)
    const same = JSON.stringify(batch)
    if (known !== undefined) {
      found.replays++
      if (known !== same) found.changed++
      return batch
    }
    seen.set(key, same)
    found.batches++
    if (batch.seq < (highest.get(batch.spool) ?? 0)) found.late++
    highest.set(batch.spool, Math.max(batch.seq, highest.get(batch.spool) ?? 0))
    for (const { bytes_down, bytes_up, credential, inbound } of batch.entries) {
      const { down, up } = sums.get(`${credential} ${inbound}`) ?? { up: 0, down: 0 }
      sums.set(`${credential} ${inbound}`, { up: up + bytes_up, down: down + bytes_down })
    }
    return batch
  }

  const open = async (port: number): Promise<number> => {
    server = createServer((request, response) => {
      void (async () => {
        const url = new URL(request.url!, "http://plane")
        if (request.headers["content-encoding"] === "gzip") found.zipped++
        if (request.method === "GET") {
          if (url.searchParams.get("revision") === "1") return
          response.setHeader("content-type", "application/json")
          response.write(JSON.stringify(state).slice(0, 100))
          return response.end(JSON.stringify(state).slice(100))
        }
        const text = await bodyOf(request)
        if (url.pathname.endsWith("/applied")) {
          found.applied++
          return response.writeHead(204).end()
        }
        const { seq, spool } = take(text)
        const body = JSON.stringify({ spool, seq })
        return response.writeHead(200, { "content-length": body.length }).end(body)
      })().catch(() => response.destroy())
    })
    server.on("connection", (socket) => {
      found.connections++
      sockets.add(socket.on("close", () => sockets.delete(socket)))
    })
    await new Promise<void>((resolve) => server!.listen(port, "127.0.0.1", resolve))
    return (server.address() as AddressInfo).port
  }
  const close = async () => {
    const closed = new Promise((resolve) => server!.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return { open, close, found, sums, forget: () => (highest = new Map()) }
}

describe("Simulator", () => {
  let plane: ReturnType<typeof makePlane>
  let port = 0
  let simulator: Simulator.Simulator

  const begin = async (agents: number, more: Partial<Simulator.Fleet> = {}) => {
    const plans = Array.from({ length: agents }, (_, n) => ({ key: `key-${n}`, urls: [`http://127.0.0.1:${port}`] }))
    simulator = await Simulator.start({ agents: plans, entries: 20, every: 100, ramp: 50, ...more })
    await simulator.begin()
  }

  const bookedIs = async () => {
    const accounts = await simulator.books()
    assert.isAbove(accounts.length, 0)
    for (const { acknowledged, counted, credential, inbound } of accounts) {
      assert.deepStrictEqual(acknowledged, counted)
      assert.deepStrictEqual(plane.sums.get(`${credential} ${inbound}`), counted)
    }
    assert.strictEqual(accounts.length, plane.sums.size)
    return accounts
  }

  beforeEach(async () => {
    plane = makePlane()
    port = await plane.open(0)
  })
  afterEach(async () => {
    await simulator.close()
    await plane.close()
  })

  it("reports for those who may pass, and its books are the server's", async () => {
    await begin(5)
    await sleep(1200)
    assert.isTrue(await simulator.drain(5000))
    const accounts = await bookedIs()
    assert.deepStrictEqual(
      accounts.map(({ credential }) => credential).sort((a, b) => a - b),
      Array.from({ length: 30 }, (_, n) => n + 1)
    )
    assert.isTrue(accounts.every(({ inbound }) => inbound === 7))
    const taken = plane.found.batches
    const figures = await simulator.figures()
    assert.strictEqual(figures.polling, 5)
    assert.strictEqual(figures.informed, 5)
    assert.strictEqual(plane.found.applied, 5)
    assert.strictEqual(plane.found.replays, 0)
    assert.strictEqual(plane.found.connections, 10)
    // Agents go on to report that nothing passed: one of each may be under way.
    const answers = figures.answers["POST /node/v1/reports 200"] ?? 0
    assert.isTrue(answers >= taken - 5 && answers <= plane.found.batches, `${answers} of ${taken} and more`)
    assert.strictEqual(figures.told.length, 5)
    assert.deepStrictEqual(figures.broken, {})
    assert.isAbove(plane.found.zipped, 0)
  })

  it("sends batches twice, in another order and cut off without another sum", async () => {
    await begin(5, { trouble: { twice: 0.3, swapped: 0.3, cut: 0.2 } })
    await sleep(3000)
    await simulator.load({ trouble: { twice: 0, swapped: 0, cut: 0 } })
    assert.isTrue(await simulator.drain(10_000))
    await bookedIs()
    const { broken, trouble } = await simulator.figures()
    assert.isAbove(trouble.twice, 0)
    assert.isAbove(trouble.swapped, 0)
    assert.isAbove(trouble.cut, 0)
    assert.strictEqual(broken["POST /node/v1/reports cut"], trouble.cut)
    assert.isAbove(plane.found.replays, 0)
    assert.isAbove(plane.found.late, 0)
    assert.strictEqual(plane.found.changed, 0)
  })

  it("keeps what it counted while the server is away, and through its own end", async () => {
    await begin(3)
    await sleep(500)
    await plane.close()
    await sleep(700)
    await simulator.end([0])
    const away = await simulator.figures()
    assert.isAbove(away.broken["POST /node/v1/reports ECONNREFUSED"] ?? 0, 0)
    assert.isAbove(away.overdue, 0)
    assert.isFalse(await simulator.drain(100))
    await plane.open(port)
    await simulator.begin()
    await sleep(300)
    assert.isTrue(await simulator.drain(10_000))
    await bookedIs()
  })
})
