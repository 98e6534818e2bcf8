/** A superuser acting for an operator: with the operator's rights, under both names. */
import { assert, layer } from "@effect/vitest"
import { Access, Api, Client } from "@vpnmgr/api"
import { Id } from "@vpnmgr/core"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { OpenApi } from "effect/http-api"
import * as Server from "./Server.ts"

const { ask } = Server

const password = "twelve chars and more"

/** A user of its own for each test. */
const made = Effect.fnUntraced(function* (role: "operator" | "superuser") {
  const token = yield* Server.signedIn
  const username = `user-${crypto.randomUUID()}`
  const { json } = yield* ask("POST /api/v1/users", { token, body: { username, password, role } })
  const session = yield* ask("POST /api/v1/session", { body: { username, password } })
  return { id: json["id"] as string, token: session.json["token"] as string }
})

const actingFor = (id: string) => ({ [Access.actForHeader]: id })

layer(Server.layer({ local: false }), { excludeTestServices: true })("A superuser acting for an operator", (it) => {
  it.effect("makes and sees what the operator would, and the audit names both", () =>
    Effect.gen(function* () {
      const baseUrl = yield* Server.baseUrl
      const token = Redacted.make(yield* Server.signedIn)
      const bob = yield* made("operator")
      const root = yield* Client.make({ baseUrl, token })
      const asBob = yield* Client.make({ baseUrl, token, actFor: bob.id })

      const others = yield* root.subscriptions.create({ payload: { title: "somebody else's" } })
      const own = yield* asBob.subscriptions.create({ payload: { title: "made for bob" } })
      assert.strictEqual(own.ownerId, bob.id)
      const seen = yield* asBob.subscriptions.list({ query: {} })
      assert.deepStrictEqual(
        seen.items.map(({ id }) => id),
        [own.id]
      )
      assert.strictEqual((yield* Effect.flip(asBob.subscriptions.get({ params: { id: others.id } })))._tag, "NotFound")
      assert.strictEqual((yield* root.subscriptions.get({ params: { id: others.id } })).id, others.id)
      const me = yield* asBob.session.me({})
      assert.deepInclude(me, { role: "operator" })
      assert.strictEqual(me.user?.id, bob.id)

      const { user: ada } = yield* root.session.me({})
      const records = yield* root.audit.list({ query: { target_id: own.id } })
      assert.strictEqual(records.items[0]!.actorId, ada!.id)
      assert.strictEqual(records.items[0]!.meta["acting_for"], bob.id)
      const plain = yield* root.audit.list({ query: { target_id: others.id } })
      assert.strictEqual(plain.items[0]!.actorId, ada!.id)
      assert.notProperty(plain.items[0]!.meta, "acting_for")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("may do nothing that the operator may never do", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const bob = yield* made("operator")
      const headers = actingFor(bob.id)
      for (const route of [
        "GET /api/v1/users",
        "GET /api/v1/groups",
        "GET /api/v1/nodes",
        "GET /api/v1/audit",
        "GET /api/v1/quarantine",
        "GET /api/v1/spares"
      ]) {
        assert.strictEqual((yield* ask(route, { token, headers })).status, 403, route)
        assert.strictEqual((yield* ask(route, { token })).status, 200, route)
      }
      const body = { name: "made while acting" }
      assert.strictEqual((yield* ask("POST /api/v1/groups", { token, headers, body })).status, 403)
      assert.strictEqual((yield* ask("POST /api/v1/groups", { token, body })).status, 201)
    })
  )

  it.effect("does not sign out with it", () =>
    Effect.gen(function* () {
      const { token } = yield* made("superuser")
      const bob = yield* made("operator")
      assert.strictEqual((yield* ask("DELETE /api/v1/session", { token, headers: actingFor(bob.id) })).status, 403)
      assert.strictEqual((yield* ask("GET /api/v1/session", { token })).status, 200)
      assert.strictEqual((yield* ask("DELETE /api/v1/session", { token })).status, 204)
      assert.strictEqual((yield* ask("GET /api/v1/session", { token })).status, 401)
    })
  )

  it.effect("is refused to operators, and for whoever is no operator", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const [bob, eve, root] = [yield* made("operator"), yield* made("operator"), yield* made("superuser")]
      const me = (asked: string, id: string) => ask("GET /api/v1/session", { token: asked, headers: actingFor(id) })
      for (const id of [eve.id, bob.id]) {
        const refused = yield* me(bob.token, id)
        assert.deepStrictEqual([refused.status, refused.json["code"]], [403, "forbidden"])
      }
      assert.strictEqual((yield* me("nonsense", bob.id)).status, 401)
      for (const id of [root.id, crypto.randomUUID(), Id.system, "bob", ""]) {
        const refused = yield* me(token, id)
        assert.deepStrictEqual([refused.status, refused.json["code"]], [422, "invalid"], id)
        assert.strictEqual(refused.json["errors"][0].field, Access.actForHeader)
      }
      assert.strictEqual((yield* me(token, bob.id)).status, 200)
      yield* ask(`PATCH /api/v1/users/${bob.id}`, { token, body: { is_disabled: true } })
      const disabled = yield* me(token, bob.id)
      assert.deepStrictEqual([disabled.status, disabled.json["code"]], [422, "invalid"])
    })
  )
})

layer(Server.layer({ local: true }), { excludeTestServices: true })("The system acting for an operator", (it) => {
  it.effect("has the operator's rights, and is named beside it", () =>
    Effect.gen(function* () {
      const body = { username: "bob", password, role: "operator" }
      const bob = (yield* ask("POST /api/v1/users", { body })).json["id"] as string
      const headers = actingFor(bob)
      const own = yield* ask("POST /api/v1/subscriptions", { headers, body: { title: "made for bob" } })
      assert.strictEqual(own.json["owner_id"], bob)
      assert.strictEqual((yield* ask("GET /api/v1/audit", { headers })).status, 403)
      const records = yield* ask(`GET /api/v1/audit?target_id=${own.json["id"]}`)
      const [record] = records.json["items"]
      assert.deepStrictEqual([record.actor_id, record.meta.acting_for], [Id.system, bob])
    })
  )
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("The document", (it) => {
  it.effect("names the header on what a person's token opens, and nowhere else", () =>
    Effect.sync(() => {
      const { paths } = OpenApi.fromApi(Api)
      const naming = (path: string, method: "get" | "post") =>
        paths[path]?.[method]?.parameters.some(({ name }) => name === Access.actForHeader)
      assert.isTrue(naming("/api/v1/subscriptions/{id}", "get"))
      assert.isTrue(naming("/api/v1/subscriptions", "post"))
      assert.isFalse(naming("/api/v1/session", "post"))
      assert.isFalse(naming("/node/v1/state", "get"))
      assert.isFalse(naming("/health/live", "get"))
    })
  )
})
