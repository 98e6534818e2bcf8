import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

layer(Server.layer({ local: false }), { excludeTestServices: true })("Access", (it) => {
  it.effect("shows an operator what is its own, and nothing else", () =>
    Effect.gen(function* () {
      const root = yield* Server.signedIn
      const account = { username: "bob", password: "twelve chars and more" }
      const made = yield* ask("POST /api/v1/users", { token: root, body: { ...account, role: "operator" } })
      assert.strictEqual(made.status, 201)
      assert.notInclude(made.text, "argon2")
      const signed = yield* ask("POST /api/v1/session", { body: account })
      const token = signed.json["token"] as string

      const foreign = yield* ask("POST /api/v1/subscriptions", { token: root, body: { title: "of somebody else" } })
      const id = foreign.json["id"] as string
      const own = yield* ask("POST /api/v1/subscriptions", { token, body: { title: "mine" } })
      assert.strictEqual(own.json["owner_id"], made.json["id"])

      for (const route of [
        `GET /api/v1/subscriptions/${id}`,
        `GET /api/v1/subscriptions/${id}/usage`,
        `POST /api/v1/subscriptions/${id}/suspend`,
        `POST /api/v1/subscriptions/${id}/rotate`,
        `DELETE /api/v1/subscriptions/${id}`,
        `GET /api/v1/users/${unknownUser}`
      ])
        assert.strictEqual((yield* ask(route, { token })).status, 404, route)
      const list = yield* ask("GET /api/v1/subscriptions", { token })
      assert.deepStrictEqual(
        list.json["items"].map((item: { title: string }) => item.title),
        ["mine"]
      )
      for (const route of [
        "GET /api/v1/audit",
        "GET /api/v1/quarantine",
        "GET /api/v1/spares",
        "POST /api/v1/spares/refill",
        "GET /api/v1/users",
        "GET /api/v1/nodes",
        `POST /api/v1/users/${made.json["id"]}/reset`
      ])
        assert.strictEqual((yield* ask(route, { token })).status, 403, route)
      assert.strictEqual((yield* ask("GET /api/v1/inbounds", { token })).status, 200)

      const me = yield* ask("GET /api/v1/session", { token })
      assert.strictEqual(me.json["user"].username, "bob")
      assert.strictEqual((yield* ask("DELETE /api/v1/session", { token })).status, 204)
      assert.strictEqual((yield* ask("GET /api/v1/session", { token })).status, 401)
    })
  )

  it.effect("makes guessing slow, even all at once", () =>
    Effect.gen(function* () {
      yield* Server.signedIn
      const guess = ask("POST /api/v1/session", { body: { username: "nobody", password: "guess" } })
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, () => guess),
        { concurrency: 8 }
      )
      const statuses = answers.map(({ status }) => status).sort()
      assert.deepStrictEqual(statuses, [401, 401, 401, 429, 429, 429, 429, 429])
      const refused = answers.find(({ status }) => status === 429)!
      assert.match(refused.headers.get("retry-after") ?? "", /^\d+$/)
      assert.strictEqual(refused.json["code"], "too_many")
    })
  )

  it.effect(
    "lets only so many polls wait",
    () =>
      Effect.gen(function* () {
        const token = yield* Server.signedIn
        const node = (yield* ask("POST /api/v1/nodes", { token, body: {} })).json["id"]
        const key = (yield* ask(`POST /api/v1/nodes/${node}/tokens`, { token })).json["key"] as string
        const agent = { token: key, headers: { "vpnmgr-protocol": "1.0" } }
        const head = yield* ask("GET /node/v1/state", agent)
        const query = `generation=${head.json["generation"]}&revision=${head.json["revision"]}&wait=2`
        const polls = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 4 }, () => ask(`GET /node/v1/state?${query}`, agent)),
            { concurrency: 4 }
          )
        )
        const statuses = (yield* Fiber.join(polls)).map(({ status }) => status).sort()
        assert.deepStrictEqual(statuses, [204, 204, 204, 429])
      }),
    15_000
  )
})

const unknownUser = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"

layer(Server.layer({ local: true }), { excludeTestServices: true })("The local socket", (it) => {
  it.effect("is the system's, without a token", () =>
    Effect.gen(function* () {
      const me = yield* ask("GET /api/v1/session")
      assert.deepStrictEqual(me.json, { role: "superuser", user: null })
      const made = yield* ask("POST /api/v1/groups", { body: { name: "Free" } })
      assert.strictEqual(made.status, 201)
      const audit = yield* ask("GET /api/v1/audit")
      assert.strictEqual(audit.json["items"][0].actor_id, "00000000-0000-7000-8000-000000000000")
      assert.strictEqual((yield* ask("GET /api/v1/groups", { token: "nonsense" })).status, 401)
      assert.strictEqual((yield* ask("GET /node/v1/state")).status, 401)
    })
  )
})
