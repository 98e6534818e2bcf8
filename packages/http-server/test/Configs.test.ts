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
      assert.strictEqual(headers.get("support-url"), Server.pages.supportUrl)
      assert.strictEqual(headers.get("profile-web-page-url"), Server.pages.profileWebPageUrl)
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

  it.effect("always says all four numbers, for apps that show nothing otherwise; 0 is unlimited", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const told = Effect.fnUntraced(function* (body: object) {
        const made = yield* ask("POST /api/v1/subscriptions", { token, body })
        return (yield* ask(`GET ${made.json["config_path"]}`)).headers.get("subscription-userinfo")
      })
      assert.strictEqual(yield* told({}), "upload=0; download=0; total=0; expire=0")
      assert.strictEqual(yield* told({ max_traffic: 0 }), "upload=0; download=0; total=1; expire=0")
      assert.strictEqual(
        yield* told({ max_traffic: "9223372036854775807", expires_at: "1960-01-01T00:00:00Z" }),
        "upload=0; download=0; total=9223372036854775807; expire=1"
      )
    })
  )

  it.effect("answers HEAD as GET, without the body, whatever the answer is", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const path = Effect.fnUntraced(function* (body: object, action?: string) {
        const made = yield* ask("POST /api/v1/subscriptions", { token, body })
        if (action !== undefined) yield* ask(`POST /api/v1/subscriptions/${made.json["id"]}/${action}`, { token })
        return made.json["config_path"] as string
      })
      const paths = [
        yield* path({}),
        yield* path({ expires_at: "2020-01-01T00:00:00Z" }),
        yield* path({}, "suspend"),
        "/s/unknown"
      ]
      const statuses: Array<number> = []
      for (const each of paths) {
        const [get, head] = [yield* ask(`GET ${each}`), yield* ask(`HEAD ${each}`)]
        const shown = ({ headers }: Server.Answered) =>
          [...headers].filter(([name]) => !["date", "keep-alive", "connection"].includes(name))
        assert.deepStrictEqual([head.status, head.text, shown(head)], [get.status, "", shown(get)])
        assert.strictEqual(head.headers.get("content-length"), String(Buffer.byteLength(get.text)))
        assert.isNull(head.headers.get("set-cookie"))
        statuses.push(get.status)
      }
      assert.deepStrictEqual(statuses, [200, 200, 403, 404])
      const refused = yield* ask(`GET ${paths[2]}`)
      assert.strictEqual(refused.headers.get("content-type"), "application/problem+json")
      assert.strictEqual(refused.json["code"], "suspended")
      const conditional = yield* ask(`GET ${paths[2]}`, { headers: { "if-none-match": "*" } })
      assert.strictEqual(conditional.status, 403)
    })
  )

  it.effect("tells a person whose config carries nothing why, and until when", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const tags = Effect.fnUntraced(function* (body: object) {
        const made = yield* ask("POST /api/v1/subscriptions", { token, body })
        const { json, status } = yield* ask(`GET ${made.json["config_path"]}`)
        assert.strictEqual(status, 200)
        const outbounds = json["outbounds"] as ReadonlyArray<{ readonly type: string; readonly tag: string }>
        assert.sameMembers(
          outbounds.map(({ type }) => type),
          ["selector", "block"]
        )
        return outbounds.map(({ tag }) => tag)
      })
      assert.include(yield* tags({ expires_at: "2020-01-01T00:00:00Z" }), "expired on 2020-01-01 00:00 UTC")
      assert.include(yield* tags({ max_traffic: 0 }), "over limit")
      assert.include(yield* tags({}), "no server yet")

      const group = yield* ask("POST /api/v1/groups", { token, body: { name: "nothing", max_traffic: 0 } })
      const operator = { username: "dry", password: "a long enough password", role: "operator" }
      const owner = yield* ask("POST /api/v1/users", { token, body: { ...operator, group_ids: [group.json["id"]] } })
      assert.include(yield* tags({ owner_id: owner.json["id"] }), "provider over limit")
    })
  )

  it.effect("is shown to whoever looks after the subscription, with what it was rendered from", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const made = yield* ask("POST /api/v1/subscriptions", { token, body: { title: rocket } })
      const path = `/api/v1/subscriptions/${made.json["id"]}`
      const shown = yield* ask(`GET ${path}/config`, { token })
      assert.strictEqual(shown.status, 200, shown.text)
      assert.strictEqual(shown.headers.get("cache-control"), "no-store")
      assert.deepStrictEqual(shown.json["config"], (yield* ask(`GET ${made.json["config_path"]}`)).json)
      const { state, template_failure, model } = shown.json
      assert.deepStrictEqual([state, template_failure], ["active", null])
      assert.deepInclude(model, { title: rocket, state: "no_servers", expires_at: null, entries: [] })
      yield* ask(`POST ${path}/suspend`, { token })
      const { json } = yield* ask(`GET ${path}/config`, { token })
      assert.deepStrictEqual([json["state"], json["config"], json["model"]], ["suspended", null, null])
    })
  )

  it.effect("answers what was rotated away or deleted as it answers what never was, in its own time", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const gone = Effect.fnUntraced(function* (end: string, path: string) {
        const made = yield* ask("POST /api/v1/subscriptions", { token, body: {} })
        assert.strictEqual((yield* ask(`GET ${made.json["config_path"]}`)).status, 200)
        yield* ask(`${end} /api/v1/subscriptions/${made.json["id"]}${path}`, { token })
        return made.json["config_path"] as string
      })
      const links = ["/s/unknown", "/s/mal%20formed", yield* gone("POST", "/rotate"), yield* gone("DELETE", "")]
      const times = links.map((): Array<number> => [])
      const bodies = new Set<string>()
      for (let round = 0; round < 150; round++) {
        for (const [index, link] of links.entries()) {
          const began = performance.now()
          const { status, text } = yield* ask(`GET ${link}`)
          times[index]!.push(performance.now() - began)
          bodies.add(`${status} ${text}`)
        }
      }
      assert.strictEqual(bodies.size, 1)
      const medians = times.map((each) => each.sort((a, b) => a - b)[each.length >> 1]!)
      assert.isBelow(Math.max(...medians) / Math.min(...medians), 1.5)
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
