/** The agent is killed at its worst moments, over and over; the server counts what the plane counted. */
import { spawn } from "node:child_process"
import * as http from "node:http"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "./Fakes.ts"

interface Sent {
  readonly batch: {
    readonly spool: string
    readonly seq: number
    readonly to: string
    readonly entries: ReadonlyArray<{ readonly bytes_up: number }>
  }
}

/** Counts each (spool, seq) once; says nothing to one report in five that it took. */
class Tally {
  readonly taken = new Map<string, number>()
  latest = 0
  readonly server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (request.url?.includes("/state") === true) return void setTimeout(() => response.writeHead(204).end(), 200)
      const body = Buffer.concat(chunks)
      const { batch }: Sent = JSON.parse(
        String(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body)
      )
      const bytes = batch.entries.reduce((sum, entry) => sum + entry.bytes_up, 0)
      const name = `${batch.spool}/${batch.seq}`
      assert.strictEqual(this.taken.get(name) ?? bytes, bytes)
      this.taken.set(name, bytes)
      if (bytes > 0) this.latest = Math.max(this.latest, Date.parse(batch.to))
      if (Math.random() < 0.2) return void request.socket.destroy()
      response.writeHead(200, { "content-type": "application/json" })
      response.end(JSON.stringify({ spool: batch.spool, seq: batch.seq }))
    })
  })

  get counted(): number {
    return [...this.taken.values()].reduce((sum, bytes) => sum + bytes, 0)
  }
}

const program = fileURLToPath(new URL("./crashingAgent.ts", import.meta.url))

const life = (args: ReadonlyArray<string>, env: Record<string, string>, lasts: number) =>
  Effect.promise(
    () =>
      new Promise<{ readonly signal: string | null; readonly log: string }>((resolve) => {
        const child = spawn(process.execPath, [program, ...args], {
          env: { ...process.env, ...env },
          stdio: ["ignore", "ignore", "pipe"]
        })
        let log = ""
        child.stderr.on("data", (chunk: Buffer) => (log += chunk))
        const timer = setTimeout(() => child.kill("SIGTERM"), lasts)
        child.on("exit", (_, signal) => {
          clearTimeout(timer)
          resolve({ signal, log })
        })
      })
  )

const run = Effect.fnUntraced(function* (broken: string) {
  const at = yield* directory
  const tally = new Tally()
  yield* Effect.promise(() => new Promise<void>((resolve) => void tally.server.listen(0, "127.0.0.1", resolve)))
  const address = tally.server.address()
  const began = Date.now()
  const args = [at, `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, String(began)]
  const killed = { VPNMGR_KILL_AT: "agent.booked:0.1,agent.sealed:0.3,agent.answered:0.3", VPNMGR_BREAK: broken }
  const ends: Array<{ readonly signal: string | null; readonly log: string }> = []
  for (let index = 0; index < 5; index++) ends.push(yield* life(args, killed, 5000))
  ends.push(yield* life(args, { VPNMGR_BREAK: broken }, 1500))
  tally.server.closeAllConnections()
  tally.server.close()
  return {
    kills: ends.filter(({ signal }) => signal === "SIGKILL").length,
    counted: tally.counted,
    truth: tally.latest - began
  }
}, Effect.scoped)

const patience = 90_000

describe("crashes", () => {
  it.live(
    "counts exactly what the plane counted, however often the agent is killed",
    () =>
      Effect.gen(function* () {
        const { counted, kills, truth } = yield* run("")
        assert.isAtLeast(kills, 3)
        assert.strictEqual(counted, truth)
      }),
    patience
  )

  it.live(
    "fails when batches are not written to the disk",
    () =>
      Effect.gen(function* () {
        const { counted, truth } = yield* run("spool")
        assert.notStrictEqual(counted, truth)
      }),
    patience
  )
})
