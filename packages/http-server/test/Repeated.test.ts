import { assert, layer } from "@effect/vitest"
import { Idempotency, IdempotencyStore, Transaction } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import * as Server from "./Server.ts"

const { ask } = Server

const under = (key: string, more: Record<string, string> = {}) => ({ "idempotency-key": key, ...more })

const assertRefused = (answered: Server.Answered, status: number, code: string) =>
  assert.deepStrictEqual([answered.status, answered.json["code"]], [status, code], answered.text)

/** How many subscriptions have this title. */
const titled = Effect.fnUntraced(function* (token: string, title: string) {
  const { json } = yield* ask("GET /api/v1/subscriptions?limit=200", { token })
  return (json["items"] as ReadonlyArray<{ readonly title: string }>).filter((item) => item.title === title).length
})

const operator = Effect.fnUntraced(function* (token: string, username: string) {
  const password = "a long password"
  const made = yield* ask("POST /api/v1/users", { token, body: { username, password, role: "operator" } })
  const { json } = yield* ask("POST /api/v1/session", { body: { username, password } })
  return { id: made.json["id"] as string, token: json["token"] as string }
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A repeated request", (it) => {
  it.effect("is answered as before, and done once", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const post = () => ask("POST /api/v1/subscriptions", { token, body: { title: "twice" }, headers: under("twice") })
      const first = yield* post()
      assert.strictEqual(first.status, 201, first.text)
      assert.isNull(first.headers.get("idempotency-replayed"))
      yield* ask(`PATCH /api/v1/subscriptions/${first.json["id"]}`, { token, body: { description: "meanwhile" } })
      const second = yield* post()
      assert.deepStrictEqual([second.status, second.text], [first.status, first.text])
      assert.strictEqual(second.headers.get("idempotency-replayed"), "true")
      for (const name of ["etag", "content-type", "cache-control"])
        assert.strictEqual(second.headers.get(name), first.headers.get(name))
      assert.strictEqual(yield* titled(token, "twice"), 1)
    })
  )

  it.effect("without a key is another request", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      for (const headers of [{}, {}, under("one"), under("two")])
        yield* ask("POST /api/v1/subscriptions", { token, body: { title: "four" }, headers })
      assert.strictEqual(yield* titled(token, "four"), 4)
    })
  )

  it.effect("must be the same request", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const post = (path: string, body: unknown, more = {}) =>
        ask(`POST /api/v1/${path}`, { token, body, headers: under("same", more) })
      const made = yield* post("subscriptions", { title: "same" })
      assert.strictEqual(made.status, 201)
      assertRefused(yield* post("subscriptions", { title: "other" }), 422, "idempotency_key_reused")
      assertRefused(yield* post("groups", { title: "same" }), 422, "idempotency_key_reused")
      const { id } = yield* operator(token, "same")
      const acting = yield* post("subscriptions", { title: "same" }, { "vpnmgr-act-for": id })
      assertRefused(acting, 422, "idempotency_key_reused")
      assert.deepStrictEqual([yield* titled(token, "same"), yield* titled(token, "other")], [1, 0])
    })
  )

  it.effect("is its sender's own, also when it acts for another", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const bea = yield* operator(token, "bea")
      const body = { title: "whose" }
      const post = (bearer: string, more = {}) =>
        ask("POST /api/v1/subscriptions", { token: bearer, body, headers: under("whose", more) })
      const acting = yield* post(token, { "vpnmgr-act-for": bea.id })
      const own = yield* post(bea.token)
      assert.deepStrictEqual([acting.status, own.status], [201, 201])
      assert.notStrictEqual(acting.json["id"], own.json["id"])
      assert.strictEqual((yield* post(token, { "vpnmgr-act-for": bea.id })).text, acting.text)
      assert.strictEqual((yield* post(bea.token)).text, own.text)
      assert.strictEqual(yield* titled(bea.token, "whose"), 2)
    })
  )

  it.effect("is tried again after an error, which changes nothing", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const headers = under("error")
      const body = { username: "cyd", password: "a long password", role: "operator", group_ids: [] }
      const group = (name: string) => ask("POST /api/v1/groups", { token, body: { name }, headers })
      assertRefused(
        yield* ask("POST /api/v1/users", { token, body: { ...body, role: "x" }, headers }),
        400,
        "malformed"
      )
      const unknown = ["0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"]
      const refused = yield* ask("POST /api/v1/users", { token, body: { ...body, group_ids: unknown }, headers })
      assertRefused(refused, 422, "invalid")
      const made = yield* ask("POST /api/v1/users", { token, body, headers })
      assert.strictEqual(made.status, 201, made.text)
      assertRefused(yield* group("error"), 422, "idempotency_key_reused")
    })
  )

  it.effect("is done once when twenty come at once", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const post = ask("POST /api/v1/subscriptions", { token, body: { title: "at once" }, headers: under("at once") })
      assertRefused(yield* post, 400, "malformed")
      const once = ask("POST /api/v1/subscriptions", { token, body: { title: "at once" }, headers: under("at-once") })
      const answers = yield* Effect.replicateEffect(once, 20, { concurrency: "unbounded" })
      for (const { status } of answers) assert.include([201, 409], status)
      const made = answers.filter(({ status }) => status === 201)
      assert.strictEqual(new Set(made.map(({ text }) => text)).size, 1)
      assert.strictEqual(made.filter(({ headers }) => headers.get("idempotency-replayed") === null).length, 1)
      assert.strictEqual(yield* titled(token, "at once"), 1)
    })
  )

  it.effect("leaves out what is shown once, and does not keep it", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const { json } = yield* ask("POST /api/v1/nodes", { token, body: {} })
      const post = ask(`POST /api/v1/nodes/${json["id"]}/tokens`, { token, headers: under("secret") })
      const first = yield* post
      const key = first.json["key"] as string
      assert.match(key, /^[\w-]{32}$/)
      const second = yield* post
      assert.deepStrictEqual(second.json, { ...first.json, key: null })
      assert.strictEqual(second.status, 201)
      const tokens = yield* ask(`GET /api/v1/nodes/${json["id"]}/tokens`, { token })
      assert.strictEqual(tokens.json["items"].length, 1)
      const store = yield* IdempotencyStore.IdempotencyStore
      const transaction = yield* Transaction.Transaction
      const me = (yield* ask("GET /api/v1/session", { token })).json["user"].id as string
      const claim = yield* transaction.run(store.claim({ actorId: me, key: "secret" }, 0))
      assert.include(JSON.stringify(claim), first.json["id"])
      assert.notInclude(JSON.stringify(claim), key)
    })
  )

  it.effect("has a key of 1 to 255 visible characters", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const post = (key: string) =>
        ask("POST /api/v1/groups", { token, body: { name: `key ${key.length}` }, headers: under(key) })
      for (const key of ["a b", "x".repeat(256), "gr\u00fc\u00dfe", ""]) {
        const refused = yield* post(key)
        assertRefused(refused, 400, "malformed")
        assert.strictEqual(refused.json["errors"][0].field, "idempotency-key")
      }
      assert.strictEqual((yield* post("x".repeat(255))).status, 201)
      assert.strictEqual((yield* post('"01994a40"')).status, 201)
    })
  )
})

let dies = false

/** A server that dies between the commit and the answer. */
const dying = Layer.effect(
  Transaction.Transaction,
  Effect.map(Transaction.Transaction, ({ run }) =>
    Transaction.Transaction.of({
      run: (effect) =>
        Effect.tap(run(effect), () => (dies ? Effect.die(new Error("killed after the commit")) : Effect.void))
    })
  )
)

layer(Server.layer({ local: false }, dying), { excludeTestServices: true })("A request whose answer was lost", (it) => {
  it.effect("is answered when it is sent again", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const post = ask("POST /api/v1/subscriptions", { token, body: { title: "lost" }, headers: under("lost") })
      dies = true
      assert.strictEqual((yield* post).status, 500)
      dies = false
      assert.strictEqual(yield* titled(token, "lost"), 1)
      const again = yield* post
      assert.strictEqual(again.status, 201, again.text)
      assert.strictEqual(again.json["title"], "lost")
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      assert.strictEqual(yield* titled(token, "lost"), 1)
    })
  )

  it.effect("would be done again without a key", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const post = ask("POST /api/v1/subscriptions", { token, body: { title: "doubled" } })
      yield* post
      yield* post
      assert.strictEqual(yield* titled(token, "doubled"), 2)
      assert.strictEqual(Idempotency.retention, 24 * 3_600_000)
    })
  )
})
