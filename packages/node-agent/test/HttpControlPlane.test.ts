import * as http from "node:http"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { NodeState } from "@vpnmgr/core"
import { ControlPlane, type ControlPlaneError } from "../src/ControlPlane.ts"
import * as HttpControlPlane from "../src/HttpControlPlane.ts"
import { state } from "./Fakes.ts"

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

type Answer = (seen: Seen) => {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

const serve = (answer: Answer) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly server: http.Server; readonly url: string; readonly seen: Array<Seen> }>((resolve) => {
          const seen: Array<Seen> = []
          const server = http.createServer((request, response) => {
            const chunks: Array<Buffer> = []
            request.on("data", (chunk: Buffer) => chunks.push(chunk))
            request.on("end", () => {
              const one = {
                method: request.method ?? "",
                url: request.url ?? "",
                headers: request.headers,
                body: Buffer.concat(chunks)
              }
              seen.push(one)
              const { status, headers, body } = answer(one)
              response.writeHead(status, { "content-type": "application/json", ...headers })
              response.end(body === undefined ? undefined : JSON.stringify(body))
            })
          })
          server.listen(0, "127.0.0.1", () => {
            const address = server.address()
            const port = typeof address === "object" && address !== null ? address.port : 0
            resolve({ server, url: `http://127.0.0.1:${port}`, seen })
          })
        })
    ),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

const key = Redacted.make("0123456789abcdef0123456789abcdef")

const using = <A, E>(url: string, use: (server: ControlPlane["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(ControlPlane, use).pipe(Effect.provide(HttpControlPlane.layer({ url, key })))

const tagOf = (error: ControlPlaneError | HttpControlPlane.UrlRejected): string =>
  error._tag === "ControlPlaneError" ? error.reason._tag : error._tag

const report = (entries: number) => ({
  batch: {
    spool: "00000000-0000-4000-8000-000000000001",
    seq: 3,
    from: 1000,
    to: 2000,
    entries: Array.from({ length: entries }, (_, index) => ({
      credential: index,
      inbound: 1,
      bytesUp: 2n ** 60n,
      bytesDown: 5n
    }))
  },
  sentAt: 3000,
  lowest: 3,
  agentVersion: "1",
  planeVersion: null
})

describe("HttpControlPlane", () => {
  it.live("polls with the key and the protocol in headers", () =>
    Effect.gen(function* () {
      const { url, seen } = yield* serve(() => ({
        status: 200,
        body: Schema.encodeSync(NodeState.NodeState)(state(4))
      }))
      const got = yield* using(`${url}/base/`, (server) => server.state({ generation: "g1", revision: 3 }, 30))
      assert.deepStrictEqual(got, state(4))
      assert.strictEqual(seen[0]?.url, "/base/node/v1/state?generation=g1&revision=3&wait=30")
      assert.strictEqual(seen[0]?.headers.authorization, `Bearer ${Redacted.value(key)}`)
      assert.strictEqual(seen[0]?.headers["vpnmgr-protocol"], "1.0")
    })
  )

  it.live("knows that nothing is new", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(() => ({ status: 204 }))
      assert.isNull(yield* using(url, (server) => server.state({ generation: "", revision: 0 }, 0)))
    })
  )

  it.live("sends large reports compressed, with exact numbers", () =>
    Effect.gen(function* () {
      const { url, seen } = yield* serve(() => ({
        status: 200,
        body: { spool: "00000000-0000-4000-8000-000000000001", seq: 3 }
      }))
      yield* using(url, (server) => server.report(report(0)))
      yield* using(url, (server) => server.report(report(100)))
      assert.isUndefined(seen[0]?.headers["content-encoding"])
      assert.strictEqual(seen[1]?.headers["content-encoding"], "gzip")
      const sent = JSON.parse(gunzipSync(seen[1]?.body ?? Buffer.alloc(0)).toString())
      assert.strictEqual(sent.batch.entries[99].bytes_up, String(2n ** 60n))
    })
  )

  for (const [status, tag] of [
    [401, "Refused"],
    [409, "Refused"],
    [307, "Refused"],
    [429, "Unreachable"],
    [503, "Unreachable"]
  ] as const)
    it.live(`takes ${status} for ${tag}`, () =>
      Effect.gen(function* () {
        const { url } = yield* serve(() => ({
          status,
          headers: { location: "http://127.0.0.1:1/" },
          body: { code: "some_code", detail: "why" }
        }))
        const error = yield* Effect.flip(using(url, (server) => server.report(report(0))))
        assert.strictEqual(tagOf(error), tag)
        assert.notInclude(JSON.stringify(error), Redacted.value(key))
      })
    )

  it.live("says which side to upgrade", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(() => ({ status: 200, body: { protocol: "2.0", shape: "unknown" } }))
      const error = yield* Effect.flip(using(url, (server) => server.state({ generation: "", revision: 0 }, 0)))
      assert.strictEqual(tagOf(error), "ProtocolUnknown")
      assert.include(JSON.stringify(error), "upgrade the agent")
    })
  )

  it.live("takes a server that is not there for unreachable", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(using("http://127.0.0.1:9", (server) => server.report(report(0))))
      assert.strictEqual(tagOf(error), "Unreachable")
    })
  )

  it.live("refuses to send the key in the clear to another machine", () =>
    Effect.gen(function* () {
      for (const url of [
        "http://vpn.example.org",
        "ftp://127.0.0.1",
        "https://user:pass@vpn.example.org",
        "nonsense"
      ]) {
        const error = yield* Effect.flip(using(url, () => Effect.void))
        assert.strictEqual(error._tag, "UrlRejected")
      }
      yield* using("https://vpn.example.org", () => Effect.void)
    })
  )
})
