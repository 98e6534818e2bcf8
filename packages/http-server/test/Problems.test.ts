import { assert, layer } from "@effect/vitest"
import { gzipSync } from "node:zlib"
import { Problem } from "@vpnmgr/api"
import { Effect } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

/** Every error is a problem with the same fields, and none says more than it should. */
const assertProblem = (answered: Server.Answered, status: number, code: string, field?: string) => {
  assert.deepStrictEqual([answered.status, answered.json["code"]], [status, code], answered.text)
  assert.strictEqual(answered.headers.get("content-type"), "application/problem+json")
  assert.strictEqual(answered.json["type"], `/docs/problems/${code}`)
  assert.strictEqual(answered.json["status"], status)
  assert.isString(answered.json["title"])
  assert.isString(answered.json["detail"])
  assert.notMatch(answered.text, /node_modules|\.[jt]s:\d+|select |insert /i)
  if (field !== undefined) assert.strictEqual(answered.json["errors"]?.[0]?.field, field, answered.text)
}

const unknownId = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"
const protocol = { "vpnmgr-protocol": "1.0" }

layer(Server.layer({ local: false }), { excludeTestServices: true })("Problems", (it) => {
  it.effect("say which field is malformed", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const post = (path: string, body: unknown) => ask(`POST /api/v1/${path}`, { token, body })
      assertProblem(yield* post("groups", { name: "x", max_traffic: -1 }), 400, "malformed", "max_traffic")
      assertProblem(yield* post("groups", { max_traffic: 1 }), 400, "malformed", "name")
      assertProblem(yield* post("groups", "{"), 400, "malformed")
      assertProblem(yield* post("groups", "[1]"), 400, "malformed")
      assertProblem(
        yield* post("subscriptions", { traffic_reset_period: "P1X" }),
        400,
        "malformed",
        "traffic_reset_period"
      )
      assertProblem(yield* post("subscriptions", { titel: "x" }), 400, "malformed", "titel")
      assertProblem(yield* ask("GET /api/v1/users?limit=201", { token }), 400, "malformed", "limit")
      assertProblem(yield* ask("GET /api/v1/users?limits=1", { token }), 400, "malformed", "limits")
      assertProblem(yield* ask("GET /api/v1/users?cursor=nonsense", { token }), 400, "malformed", "cursor")
      assertProblem(yield* ask("GET /api/v1/users/nonsense", { token }), 400, "malformed", "id")
    })
  )

  it.effect("answer what is not found, not allowed or not possible", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      assertProblem(yield* ask(`GET /api/v1/users/${unknownId}`, { token }), 404, "not_found")
      assertProblem(yield* ask("GET /nowhere"), 404, "not_found")
      assertProblem(yield* ask("GET /api/v1/users"), 401, "unauthorized")
      assertProblem(yield* ask("GET /api/v1/users", { token: "nonsense" }), 401, "unauthorized")
      const owned = { owner_id: unknownId }
      assertProblem(yield* ask("POST /api/v1/subscriptions", { token, body: owned }), 422, "invalid", "owner_id")
      const twin = { username: "ADA", password: "another password", role: "operator" }
      assertProblem(yield* ask("POST /api/v1/users", { token, body: twin }), 409, "already_exists", "username")
      assertProblem(yield* ask("POST /api/v1/setup", { body: { secret: "x", ...Server.superuser } }), 404, "not_found")
    })
  )

  it.effect("bound what a request may cost", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const large = JSON.stringify({ name: "x".repeat(1_100_000) })
      assertProblem(yield* ask("POST /api/v1/groups", { token, body: large }), 413, "too_large")
      const chunked = (path: string, bearer: string) =>
        Effect.flatMap(Server.baseUrl, (baseUrl) =>
          Effect.promise(async () => {
            const body = new Blob([large]).stream()
            const headers = { ...protocol, authorization: `Bearer ${bearer}`, "content-type": "application/json" }
            const options = { method: "POST", headers, body, duplex: "half" } as const
            const response = await fetch(`${baseUrl}${path}`, options)
            return [response.status, ((await response.json()) as { readonly code: string }).code]
          })
        )
      const node = (yield* ask("POST /api/v1/nodes", { token, body: {} })).json["id"]
      const key = (yield* ask(`POST /api/v1/nodes/${node}/tokens`, { token })).json["key"] as string
      assert.deepStrictEqual(yield* chunked("/api/v1/groups", token), [413, "too_large"])
      assert.deepStrictEqual(yield* chunked("/node/v1/reports", key), [413, "too_large"])
      const headers = { "content-type": "text/csv" }
      assertProblem(yield* ask("POST /api/v1/groups", { token, body: "a;b", headers }), 415, "unsupported_media_type")
    })
  )

  it.effect("answer agents too", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const node = (yield* ask("POST /api/v1/nodes", { token, body: {} })).json["id"]
      const issued = yield* ask(`POST /api/v1/nodes/${node}/tokens`, { token })
      const key = issued.json["key"] as string
      const post = (body: unknown, headers: Record<string, string> = {}) =>
        ask("POST /node/v1/reports", { token: key, body, headers: { ...protocol, ...headers } })
      assertProblem(yield* ask("GET /node/v1/state", { token, headers: protocol }), 401, "unauthorized")
      assertProblem(yield* ask("GET /node/v1/state", { token: key }), 400, "unsupported_protocol")
      const older = yield* ask("GET /node/v1/state", { token: key, headers: { "vpnmgr-protocol": "0.9" } })
      assertProblem(older, 400, "unsupported_protocol")
      assert.include(older.json["detail"], "upgrade the agent")
      const newer = yield* ask("GET /node/v1/state", { token: key, headers: { "vpnmgr-protocol": "2.0" } })
      assert.include(newer.json["detail"], "upgrade the server")
      assert.strictEqual(newer.headers.get("vpnmgr-protocol"), "1.0")
      const near = yield* ask("GET /node/v1/state", { token: key, headers: { "vpnmgr-protocol": "1.1" } })
      assert.strictEqual(near.status, 200)

      assertProblem(yield* post({ batch: {} }), 400, "malformed", "batch.spool")
      assertProblem(yield* post("x", { "content-type": "text/plain" }), 415, "unsupported_media_type")
      assertProblem(yield* post("x", { "content-encoding": "br" }), 415, "unsupported_media_type")
      assertProblem(yield* post("x", { "content-encoding": "gzip" }), 400, "malformed")
      const bomb = gzipSync(Buffer.alloc(17 * 1024 * 1024, 32))
      assertProblem(yield* post(bomb, { "content-encoding": "gzip" }), 413, "too_large")

      yield* ask(`POST /api/v1/node-tokens/${issued.json["id"]}/revoke`, { token })
      assertProblem(yield* post({}), 401, "unauthorized")
    })
  )

  it.effect("explain themselves at their type", () =>
    Effect.gen(function* () {
      for (const known of Problem.all) {
        const { code, status, title, type } = new known({ detail: "", retry_after: 1 })
        const page = yield* ask(`GET ${type}`)
        assert.strictEqual(page.status, 200, type)
        assert.include(page.text, `${code} (${status})`)
        assert.include(page.text, title)
      }
    })
  )
})
