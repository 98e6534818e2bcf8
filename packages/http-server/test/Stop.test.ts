import { request } from "node:http"
import { connect } from "node:net"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

const protocol = { "vpnmgr-protocol": "1.0" }
const spool = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"

/** Sends the first half of a body, and the rest when told. */
const halfSent = (url: string, key: string, body: string) => {
  const half = Math.floor(body.length / 2)
  const headers = { ...protocol, authorization: `Bearer ${key}`, "content-type": "application/json" }
  const sending = request(url, { method: "POST", headers })
  const answered = new Promise<{ readonly status: number | undefined; readonly text: string }>((resolve, reject) => {
    sending.on("error", reject)
    sending.on("response", async (response) => {
      let text = ""
      for await (const chunk of response) text += String(chunk)
      resolve({ status: response.statusCode, text })
    })
  })
  sending.write(body.slice(0, half))
  return { finish: () => sending.end(body.slice(half)), answered }
}

it.live(
  "stops without losing a report that is on its way, and without waiting for polls",
  () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Layer.buildWithScope(Server.layer({ local: false }), scope)
      const inServer = Effect.provideContext(server)
      const { url, agent, poll } = yield* inServer(
        Effect.gen(function* () {
          const token = yield* Server.signedIn
          const node = (yield* ask("POST /api/v1/nodes", { token, body: {} })).json["id"]
          const key = (yield* ask(`POST /api/v1/nodes/${node}/tokens`, { token })).json["key"] as string
          const agent = { token: key, headers: protocol }
          const head = yield* ask("GET /node/v1/state", agent)
          const have = `generation=${head.json["generation"]}&revision=${head.json["revision"]}`
          const poll = yield* Effect.forkDetach(ask(`GET /node/v1/state?${have}&wait=30`, agent))
          return { url: yield* Server.baseUrl, agent, poll }
        })
      )
      const now = new Date().toISOString()
      const body = JSON.stringify({
        batch: { spool, seq: 1, from: now, to: now, entries: [] },
        sent_at: now,
        lowest: 1,
        agent_version: "test",
        plane_version: null
      })
      const report = halfSent(`${url}/node/v1/reports`, agent.token, body)
      const silent = connect(Number(new URL(url).port), "127.0.0.1")
      yield* Effect.sleep("300 millis")
      const began = Date.now()
      const stopping = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      assert.strictEqual((yield* Fiber.join(poll)).status, 204)
      yield* Effect.sleep("300 millis")
      report.finish()
      const { status, text } = yield* Effect.promise(() => report.answered)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(JSON.parse(text), { spool, seq: 1 })
      yield* Fiber.join(stopping)
      assert.isBelow(Date.now() - began, 4000, "neither a kept connection nor a silent one holds it up")
      silent.destroy()
      assert.isTrue(Context.isContext(server))
    }),
  30_000
)
