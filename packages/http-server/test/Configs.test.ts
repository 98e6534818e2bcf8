import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

const rocket = '🚀 "O\'Neil" (Grüße)\r\nSet-Cookie: a=b'

layer(Server.layer({ local: false }), { excludeTestServices: true })("GET /s/{link}", (it) => {
  it.effect("carries what apps show, encoded", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const body = { title: rocket, max_traffic: 1_000_000, expires_at: "2050-01-01T00:00:00Z" }
      const made = yield* ask("POST /api/v1/subscriptions", { token, body })
      const path = made.json["config_path"] as string
      const { status, headers, text } = yield* ask(`GET ${path}`)
      assert.strictEqual(status, 200)
      assert.strictEqual(headers.get("content-type"), "application/json")
      assert.strictEqual(headers.get("subscription-userinfo"), "upload=0; download=0; total=1000000; expire=2524608000")
      const title = headers.get("profile-title")!.slice("base64:".length)
      assert.strictEqual(Buffer.from(title, "base64").toString(), rocket)
      assert.strictEqual(headers.get("profile-update-interval"), "12")
      assert.match(
        headers.get("content-disposition")!,
        /^attachment; filename="config.json"; filename\*=UTF-8''%F0%9F%9A%80%20[\w%.-]+\.json$/
      )
      assert.strictEqual(headers.get("cache-control"), "private, no-cache")
      assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
      assert.isNull(headers.get("set-cookie"))

      const etag = headers.get("etag")!
      assert.match(etag, /^"[A-Za-z0-9_-]{43}"$/)
      const same = yield* ask(`GET ${path}`, { headers: { "if-none-match": `"other", ${etag}` } })
      assert.deepStrictEqual([same.status, same.text, same.headers.get("etag")], [304, "", etag])
      const other = yield* ask(`GET ${path}`, { headers: { "if-none-match": '"other"' } })
      assert.strictEqual(other.status, 200)
      const head = yield* ask(`HEAD ${path}`)
      assert.deepStrictEqual([head.status, head.text, head.headers.get("etag")], [200, "", etag])
      assert.strictEqual(head.headers.get("content-length"), String(Buffer.byteLength(text)))
    })
  )

  it.effect("answers unknown and malformed links alike", () =>
    Effect.gen(function* () {
      const links = [
        "unknown",
        "",
        "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e",
        "%00",
        "%zz",
        "a/b",
        "x".repeat(500),
        "..%2f"
      ]
      const answers = yield* Effect.forEach(links, (link) => ask(`GET /s/${link}`))
      const [first] = answers
      for (const answered of answers) {
        assert.strictEqual(answered.status, 404)
        assert.strictEqual(answered.text, first!.text)
        assert.deepStrictEqual([...answered.headers.keys()], [...first!.headers.keys()])
      }
    })
  )

  it.effect("keeps links, keys and passwords out of the log", () =>
    Effect.gen(function* () {
      const { lines } = yield* Server.Log
      const token = yield* Server.signedIn
      const made = yield* ask("POST /api/v1/subscriptions", { token, body: { title: "secret title" } })
      const link = (made.json["config_path"] as string).slice("/s/".length)
      yield* ask(`GET /s/${link}?token=query`, {
        headers: { "x-forwarded-for": "203.0.113.7", cookie: "session=cookie" }
      })
      yield* ask("POST /api/v1/session", { body: { username: "ada", password: "a wrong password" } })
      const rotated = yield* ask(`POST /api/v1/subscriptions/${made.json["id"]}/rotate`, { token })
      const newLink = (rotated.json["config_path"] as string).slice("/s/".length)
      yield* ask(`GET /s/${newLink}`)
      const text = lines.join("\n")
      const sensitive = [
        link,
        newLink,
        token,
        Server.superuser.password,
        "a wrong password",
        "127.0.0.1",
        "203.0.113.7",
        "token=query",
        "session=cookie"
      ]
      assert.deepStrictEqual(
        sensitive.filter((secret) => text.includes(secret)),
        []
      )
      assert.include(text, "/s/*")
      yield* Effect.logInfo(`a planted link: ${link}`)
      assert.isTrue(lines.join("\n").includes(link))
    })
  )

  it.effect("is not traced; other spans are named after templates and hold no address", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const made = yield* ask("POST /api/v1/subscriptions", { token, body: {} })
      const before = Server.spans.length
      yield* ask(`GET ${made.json["config_path"]}`)
      assert.strictEqual(Server.spans.length, before)
      yield* ask(`GET /api/v1/subscriptions/${made.json["id"]}`, { token })
      assert.isTrue(Server.spans.some(({ name }) => name === "GET /api/v1/subscriptions/:id"))
      const text = JSON.stringify(Server.spans.map(({ name, attributes }) => [name, ...attributes]))
      for (const secret of ["127.0.0.1", made.json["id"], token]) assert.notInclude(text, secret)
    })
  )

  it.effect("is counted by outcome", () =>
    Effect.gen(function* () {
      const { text } = yield* ask("GET /metrics")
      assert.match(text, /vpnmgr_config_fetches_total\{outcome="unknown"\} \d+/)
      assert.match(text, /vpnmgr_requests_total\{.*route="\/s\/\*".*\} \d+/)
      assert.notMatch(text, /0199/)
    })
  )
})
