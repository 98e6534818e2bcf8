/** What a request may cost: how often, how many at once, how slowly, how large. */
import { connect } from "node:net"
import { assert, describe, it as plain, layer } from "@effect/vitest"
import { Effect } from "effect"
import { HttpServer as Address } from "effect/http"
import { Listening } from "@vpnmgr/http-server"
import * as JsonText from "../src/JsonText.ts"
import * as Rates from "../src/Rates.ts"
import * as Server from "./Server.ts"

const { ask } = Server

const assertRefused = (answered: Server.Answered, status: number, code: string) =>
  assert.deepStrictEqual([answered.status, answered.json["code"]], [status, code], answered.text)

/** Writes to a socket as it is told, and answers all that came back until the server closed it. */
const raw = (port: number, parts: ReadonlyArray<string>, pause = 0) =>
  new Promise<string>((resolve, reject) => {
    let heard = ""
    const socket = connect(port, "127.0.0.1")
    socket.on("data", (chunk) => void (heard += chunk.toString("latin1")))
    socket.on("error", (error) => (heard === "" ? reject(error) : undefined))
    socket.on("close", () => resolve(heard))
    void (async () => {
      for (const part of parts) {
        socket.write(part)
        if (pause > 0) await new Promise((done) => setTimeout(done, pause))
      }
    })()
  })

const portOf = Effect.map(Address.HttpServer, ({ address }) => ("port" in address ? address.port : 0))

layer(Server.layer({ local: false }, undefined, { rate: { burst: 30, perSecond: 20 } }), { excludeTestServices: true })(
  "Who asks too often",
  (it) => {
    it.effect("is told to wait, and nobody else is", () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const body = { username: "quiet", password: "a long password" }
        yield* ask("POST /api/v1/users", { token, body: { ...body, role: "operator" } })
        const { json } = yield* ask("POST /api/v1/session", { body })
        const other = json["token"] as string
        const answers = yield* Effect.replicateEffect(ask("GET /api/v1/session", { token }), 60, { concurrency: 10 })
        const refused = answers.filter(({ status }) => status === 429)
        assert.isAbove(refused.length, 10)
        assert.isAbove(answers.length - refused.length, 20)
        for (const answer of refused) {
          assertRefused(answer, 429, "too_many")
          assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]$/)
        }
        assert.strictEqual((yield* ask("GET /api/v1/session", { token: other })).status, 200)
        yield* Effect.sleep("1100 millis")
        assert.strictEqual((yield* ask("GET /api/v1/session", { token })).status, 200)
      })
    )
  }
)

describe("A rate", () => {
  plain("fills a bucket up to its burst, and not when the clock goes back", () => {
    const rate = { burst: 10, perSecond: 2 }
    assert.deepStrictEqual(Rates.refilled(rate, { left: 0, at: 1000 }, 2500), { left: 3, at: 2500 })
    assert.deepStrictEqual(Rates.refilled(rate, { left: 9, at: 1000 }, 90_000), { left: 10, at: 90_000 })
    assert.deepStrictEqual(Rates.refilled(rate, { left: 4, at: 1000 }, 0), { left: 4, at: 0 })
  })
})

layer(Server.layer({ local: false }, undefined, { requests: 6, strangers: 2 }), { excludeTestServices: true })(
  "Too many at once",
  (it) => {
    it.effect("are answered 503, strangers first", () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const signIn = ask("POST /api/v1/session", { body: { username: "nobody", password: "x" } })
        const [strangers, own] = yield* Effect.all(
          [
            Effect.replicateEffect(signIn, 12, { concurrency: "unbounded" }),
            Effect.replicateEffect(ask("GET /api/v1/session", { token }), 3, { concurrency: "unbounded" })
          ],
          { concurrency: 2 }
        )
        const refused = strangers.filter(({ status }) => status === 503)
        assert.isAbove(refused.length, 0)
        for (const answer of refused) {
          assertRefused(answer, 503, "unavailable")
          assert.strictEqual(answer.headers.get("retry-after"), "2")
        }
        for (const answer of own) assert.strictEqual(answer.status, 200, answer.text)
        assert.strictEqual((yield* ask("GET /health/live")).status, 200)
      })
    )

    it.effect("are strangers where nobody signs in, whatever they send for a token", () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const port = yield* portOf
        const spellings = ["/api/v1/session", "/api/v1/%73ession", "/api/v1/setup", "/api/v1/session?x=1"]
        const slow = spellings.map((path) =>
          raw(
            port,
            [
              `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\n` +
                "content-length: 20\r\nconnection: close\r\n\r\n",
              ...Array.from({ length: 20 }, () => " ")
            ],
            50
          )
        )
        yield* Effect.sleep("300 millis")
        const own = yield* Effect.replicateEffect(ask("GET /api/v1/session", { token }), 4, {
          concurrency: "unbounded"
        })
        const answers = yield* Effect.promise(() => Promise.all(slow))
        for (const answer of own) assert.strictEqual(answer.status, 200, answer.text)
        assert.strictEqual(answers.filter((answer) => answer.startsWith("HTTP/1.1 503 ")).length, 2, answers.join("\n"))
        assert.strictEqual(answers.filter((answer) => answer.startsWith("HTTP/1.1 400 ")).length, 2)
      })
    )
  }
)

const impatient = { ...Listening.standard, headersTimeout: 500, requestTimeout: 1000, connectionsCheckingInterval: 100 }

layer(Server.layer({ local: false }, undefined, {}, impatient), { excludeTestServices: true })("A connection", (it) => {
  it.effect("that is slow with its headers or its body is ended", () =>
    Effect.gen(function* () {
      const port = yield* portOf
      const began = performance.now()
      const drip = Array.from({ length: 40 }, (_, index) => `x-${index}: y\r\n`)
      const head =
        "POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
      const [headers, body] = yield* Effect.promise(() =>
        Promise.all([
          raw(port, ["GET /health/live HTTP/1.1\r\nhost: x\r\n", ...drip], 100),
          raw(port, [head, ...Array.from({ length: 40 }, () => " ")], 100)
        ])
      )
      assert.isBelow(performance.now() - began, 3000)
      for (const answer of [headers, body]) {
        assert.match(answer, /^HTTP\/1\.1 408 /)
        assert.include(answer, "content-type: application/problem+json")
        assert.include(answer, '"code":"too_slow"')
      }
    })
  )

  it.effect("that is not HTTP, or says too much before its body, is answered a problem", () =>
    Effect.gen(function* () {
      const port = yield* portOf
      const [large, long, strange, none] = yield* Effect.promise(() =>
        Promise.all([
          raw(port, [`GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`]),
          raw(port, [`GET /${"y".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`]),
          raw(port, ["SPIN / HTTP/1.1\r\nhost: x\r\n\r\n"]),
          raw(port, [
            "POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}"
          ])
        ])
      )
      for (const answer of [large, long]) {
        assert.match(answer, /^HTTP\/1\.1 431 /)
        assert.include(answer, '"code":"headers_too_large"')
      }
      for (const answer of [strange, none]) {
        assert.match(answer, /^HTTP\/1\.1 400 /)
        assert.include(answer, '"code":"malformed"')
      }
      const good = yield* Effect.promise(() =>
        raw(port, ["GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"])
      )
      assert.match(good, /^HTTP\/1\.1 200 /)
    })
  )
})

describe("A JSON text", () => {
  plain("names nothing twice in one object, and lies no deeper than 16", () => {
    const bad: ReadonlyArray<readonly [string, string]> = [
      ['{"a":1,"a":2}', "a"],
      ['{"a":{"b":1, "b" : 2}}', "a.b"],
      ['[{"a":1},{"a":1,"\\u0061":1}]', "a"],
      ['{"":1,"":2}', ""],
      ["[".repeat(17), ""]
    ]
    for (const [text, field] of bad) assert.strictEqual(JsonText.objection(text)?.field, field, text)
    const good = [
      '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}',
      '{"a":"a","b":"\\"b\\"","\\\\":1,"\\\\\\"":"{[{["}',
      `${"[".repeat(16)}${"]".repeat(16)}`,
      '"a"',
      "",
      "]]}}",
      '{"a',
      '{"a\\'
    ]
    for (const text of good) assert.isNull(JsonText.objection(text), text)
  })

  plain("is looked through once", () => {
    const began = performance.now()
    JsonText.objection(
      `{${Array.from({ length: 60_000 }, (_, index) => `"name ${index}":"${"\\\\".repeat(3)}"`).join(",")}}`
    )
    JsonText.objection('"'.repeat(1_000_000))
    assert.isBelow(performance.now() - began, 1500)
  })
})
