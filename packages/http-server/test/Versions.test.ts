import { assert, describe, it as plain, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as IfMatch from "../src/IfMatch.ts"
import * as Server from "./Server.ts"

const { ask } = Server

const etagOf = (answered: Server.Answered) => {
  const etag = answered.headers.get("etag")
  assert.match(etag ?? "", /^"[a-z0-9]+"$/, answered.text)
  return etag!
}

const assertRefused = (answered: Server.Answered, status: number, code: string) =>
  assert.deepStrictEqual([answered.status, answered.json["code"]], [status, code], answered.text)

/** One of each thing that has a version, with a change of it. */
const things = Effect.fnUntraced(function* (token: string, tag: string) {
  const make = (path: string, body: unknown) => ask(`POST /api/v1/${path}`, { token, body })
  const group = yield* make("groups", { name: tag })
  const user = yield* make("users", { username: tag, password: "a long password", role: "operator" })
  const subscription = yield* make("subscriptions", { title: tag })
  const node = yield* make("nodes", {})
  const settings = { protocol: "shadowsocks" }
  const inbound = yield* make("inbounds", { node_id: node.json["id"], host: "a.example", port: 8443, settings })
  const at = (path: string, made: Server.Answered) => `/api/v1/${path}/${made.json["id"]}`
  return [
    { made: group, get: at("groups", group), change: `PATCH ${at("groups", group)}`, body: { name: `${tag}2` } },
    { made: user, get: at("users", user), change: `PUT ${at("users", user)}/groups`, body: { group_ids: [] } },
    { made: user, get: at("users", user), change: `POST ${at("users", user)}/reset`, body: undefined },
    {
      made: subscription,
      get: at("subscriptions", subscription),
      change: `PATCH ${at("subscriptions", subscription)}`,
      body: { title: "x" }
    },
    {
      made: subscription,
      get: at("subscriptions", subscription),
      change: `POST ${at("subscriptions", subscription)}/rotate`,
      body: undefined
    },
    { made: inbound, get: at("inbounds", inbound), change: `PATCH ${at("inbounds", inbound)}`, body: { geo: "DE" } }
  ]
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("Versions", (it) => {
  it.effect("let through a change of the version that was read, and no other", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      for (const { made, get, change, body } of yield* things(token, "versions")) {
        assert.strictEqual(made.status, 201, made.text)
        const before = yield* ask(`GET ${get}`, { token })
        const etag = etagOf(before)
        const put = (ifMatch: string) => ask(change, { token, body, headers: { "if-match": ifMatch } })
        assertRefused(yield* put('"other"'), 412, "precondition_failed")
        assertRefused(yield* put(`W/${etag}`), 412, "precondition_failed")
        assert.deepStrictEqual((yield* ask(`GET ${get}`, { token })).json, before.json, change)
        const changed = yield* put(`"other", ${etag}`)
        assert.strictEqual(changed.status, 200, changed.text)
        assert.notStrictEqual(etagOf(changed), etag, change)
        assertRefused(yield* put(etag), 412, "precondition_failed")
        assert.strictEqual((yield* put("*")).status, 200)
        assert.strictEqual((yield* ask(change, { token, body })).status, 200)
      }
    })
  )

  it.effect("let through exactly one of many who change the same version at once", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const made = yield* ask("POST /api/v1/subscriptions", { token, body: { title: "race" } })
      const headers = { "if-match": etagOf(made) }
      const answers = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, index) => `title ${index}`),
        (title) => ask(`PATCH /api/v1/subscriptions/${made.json["id"]}`, { token, body: { title }, headers }),
        { concurrency: "unbounded" }
      )
      const statuses = answers.map(({ status }) => status).sort()
      assert.deepStrictEqual(statuses, [200, ...Array.from({ length: 9 }, () => 412)])
    })
  )

  it.effect("hold for deletions", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      for (const [path, body, status] of [
        ["groups", { name: "deleted" }, 200],
        ["subscriptions", {}, 204]
      ] as const) {
        const made = yield* ask(`POST /api/v1/${path}`, { token, body })
        const route = `DELETE /api/v1/${path}/${made.json["id"]}`
        assertRefused(yield* ask(route, { token, headers: { "if-match": '"other"' } }), 412, "precondition_failed")
        assert.strictEqual((yield* ask(route, { token, headers: { "if-match": etagOf(made) } })).status, status)
      }
    })
  )

  it.effect("are not ignored where there are none", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const headers = { "if-match": '"x"' }
      const refused = yield* ask("POST /api/v1/groups", { token, body: { name: "unversioned" }, headers })
      assertRefused(refused, 400, "malformed")
      assert.strictEqual(refused.json["errors"][0].field, "if-match")
      const listed = yield* ask("GET /api/v1/groups?limit=200", { token })
      assert.notInclude(listed.text, "unversioned")
    })
  )
})

describe("If-Match", () => {
  plain("is *, or entity tags compared strongly", () => {
    assert.strictEqual(IfMatch.read(" * "), "any")
    assert.deepStrictEqual(IfMatch.read('"a"'), ["a"])
    assert.deepStrictEqual(IfMatch.read('"a", W/"b" ,"c,d", ""'), ["a", "c,d", ""])
    assert.deepStrictEqual(IfMatch.read('W/"a"'), [])
    assert.deepStrictEqual(IfMatch.read(', "a",'), ["a"])
  })

  plain("is refused when it is anything else", () => {
    for (const header of ["", "a", '"a', "*, *", '"a" "b"', 'w/"a"', '"a\u0001"', ",", `"${"a".repeat(5000)}"`])
      assert.strictEqual(IfMatch.read(header), null, header.slice(0, 20))
  })

  plain("takes no longer for a hostile one", () => {
    const began = performance.now()
    for (const header of [`${" ,".repeat(2000)}x`, `${'"a" '.repeat(1000)}`, `${"\t".repeat(4000)}x`])
      IfMatch.read(header)
    assert.isBelow(performance.now() - began, 100)
  })
})
