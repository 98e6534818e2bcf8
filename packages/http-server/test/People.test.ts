/** Users and groups through the typed client and with bare requests: what becomes of people, and who may do it. */
import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

const { ask } = Server

const password = "twelve chars and more"

const unknownId = "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"

const signIn = (username: string) => ask("POST /api/v1/session", { body: { username, password } })

const isGood = (token: string) => Effect.map(ask("GET /api/v1/session", { token }), ({ status }) => status === 200)

/** A client that asks as the first superuser. */
const root = Effect.gen(function* () {
  const token = yield* Server.signedIn
  return { token, ...(yield* Client.make({ baseUrl: yield* Server.baseUrl, token: Redacted.make(token) })) }
}).pipe(Effect.provide(FetchHttpClient.layer))

/** A user of its own for each test, signed in. */
const made = Effect.fnUntraced(function* (role: "operator" | "superuser" = "operator", groupIds: Array<string> = []) {
  const { users } = yield* root
  const username = `user-${crypto.randomUUID()}`
  const { id } = yield* users.create({ payload: { username, password, role, groupIds } })
  const token = (yield* signIn(username)).json["token"] as string
  return { id, username, token, params: { id } }
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A user", (it) => {
  it.effect("is changed by a superuser, and the audit says from what to what", () =>
    Effect.gen(function* () {
      const { audit, users } = yield* root
      const [bob, eve] = [yield* made(), yield* made()]
      const username = `Bob-${crypto.randomUUID()}`
      const changed = yield* users.change({ params: bob.params, payload: { username, role: "superuser" } })
      assert.deepInclude(changed, { username, role: "superuser", isDisabled: false })
      assert.strictEqual((yield* ask("GET /api/v1/users", { token: bob.token })).status, 200)
      assert.strictEqual((yield* signIn(username.toUpperCase())).status, 201)
      assert.strictEqual((yield* signIn(bob.username)).status, 401)
      const { items } = yield* audit.list({ query: { target_id: bob.id } })
      const change = items.find(({ action }) => action === "user.change")!
      assert.deepInclude(change.meta, {
        username: { before: bob.username, after: username },
        role: { before: "operator", after: "superuser" }
      })
      assert.notInclude(JSON.stringify(items), "argon2")

      const taken = yield* Effect.flip(
        users.change({ params: eve.params, payload: { username: username.toLowerCase() } })
      )
      assert.strictEqual(taken._tag, "AlreadyExists")
      assert.strictEqual((yield* users.get({ params: eve.params })).username, eve.username)
      const missing = yield* Effect.flip(users.change({ params: { id: unknownId }, payload: { role: "operator" } }))
      assert.strictEqual(missing._tag, "NotFound")
    })
  )

  it.effect("is nobody's to change but a superuser's", () =>
    Effect.gen(function* () {
      const { token } = yield* root
      const [bob, eve] = [yield* made(), yield* made()]
      for (const id of [bob.id, eve.id, unknownId])
        for (const [route, body] of [
          [`PATCH /api/v1/users/${id}`, { role: "superuser" }],
          [`DELETE /api/v1/users/${id}`, undefined],
          [`PUT /api/v1/users/${id}/groups`, { group_ids: [] }]
        ] as const) {
          assert.strictEqual((yield* ask(route, { token: bob.token, body })).status, 403, route)
          assert.strictEqual((yield* ask(route, { body })).status, 401, route)
        }
      assert.isTrue((yield* isGood(bob.token)) && (yield* isGood(eve.token)))
      const control = yield* ask(`PATCH /api/v1/users/${eve.id}`, { token, body: { role: "superuser" } })
      assert.strictEqual(control.json["role"], "superuser")
    })
  )

  it.effect("that is disabled is signed out at once, and its subscriptions go on being served", () =>
    Effect.gen(function* () {
      const { users } = yield* root
      const bob = yield* made()
      const own = yield* ask("POST /api/v1/subscriptions", { token: bob.token, body: { title: "served" } })
      assert.strictEqual((yield* ask(`GET /s/${own.json["id"]}`)).status, 200)
      const disabled = yield* users.change({ params: bob.params, payload: { isDisabled: true } })
      assert.isTrue(disabled.isDisabled)
      assert.isFalse(yield* isGood(bob.token))
      assert.strictEqual((yield* ask("POST /api/v1/session/renew", { token: bob.token })).status, 401)
      const refused = yield* signIn(bob.username)
      assert.deepStrictEqual([refused.status, refused.json["code"]], [401, "wrong_credentials"])
      assert.strictEqual((yield* ask(`GET /s/${own.json["id"]}`)).status, 200)

      yield* users.change({ params: bob.params, payload: { isDisabled: false } })
      assert.isFalse(yield* isGood(bob.token))
      assert.strictEqual((yield* signIn(bob.username)).status, 201)
    })
  )

  it.effect("is deleted once it owns nothing, and its name is free", () =>
    Effect.gen(function* () {
      const { audit, subscriptions, users } = yield* root
      const bob = yield* made()
      const own = yield* Effect.all(
        ["one", "two"].map((title) => subscriptions.create({ payload: { title, ownerId: bob.id } }))
      )
      const owning = yield* Effect.flip(users.remove({ params: bob.params }))
      assert.include(owning._tag === "Invalid" ? owning.detail : owning._tag, "Subscriptions it owns: 2.")
      assert.isTrue(yield* isGood(bob.token))
      yield* subscriptions.change({ params: { id: own[0]!.id }, payload: { ownerId: null } })
      yield* subscriptions.remove({ params: { id: own[1]!.id } })
      yield* users.remove({ params: bob.params })

      assert.isFalse(yield* isGood(bob.token))
      assert.strictEqual((yield* signIn(bob.username)).status, 401)
      assert.strictEqual((yield* Effect.flip(users.get({ params: bob.params })))._tag, "NotFound")
      assert.strictEqual((yield* Effect.flip(users.remove({ params: bob.params })))._tag, "NotFound")
      const given = yield* Effect.flip(subscriptions.create({ payload: { ownerId: bob.id } }))
      assert.strictEqual(given._tag, "Invalid")
      const { items } = yield* audit.list({ query: { target_id: bob.id } })
      assert.strictEqual(items[0]!.action, "user.delete")
      assert.deepInclude(items[0]!.meta, { username: { before: bob.username, after: null } })
      const heir = yield* users.create({ payload: { username: bob.username, password, role: "operator" } })
      assert.notStrictEqual(heir.id, bob.id)
      const own2 = yield* subscriptions.list({ query: { owner_id: heir.id } })
      assert.deepStrictEqual(own2.items, [])
    })
  )

  it.effect("that is the last superuser stays one", () =>
    Effect.gen(function* () {
      const { session, token, users } = yield* root
      const { user: ada } = yield* session.me({})
      const params = { id: ada!.id }
      const others = yield* users.list({ query: { role: "superuser", is_disabled: false, limit: 200 } })
      for (const { id } of others.items.filter((user) => user.id !== ada!.id))
        yield* users.change({ params: { id }, payload: { isDisabled: true } })

      const refused = yield* Effect.all([
        Effect.flip(users.change({ params, payload: { role: "operator" } })),
        Effect.flip(users.change({ params, payload: { isDisabled: true } })),
        Effect.flip(users.remove({ params }))
      ])
      assert.deepStrictEqual(
        refused.map((problem) => (problem._tag === "Invalid" ? problem.errors?.[0]?.field : problem._tag)),
        ["role", "is_disabled", "id"]
      )
      const still = yield* users.change({ params, payload: { username: ada!.username } })
      assert.deepInclude(still, { role: "superuser", isDisabled: false })

      const eve = yield* made("superuser")
      const demoted = yield* users.change({ params, payload: { role: "operator" } })
      assert.strictEqual(demoted.role, "operator")
      assert.strictEqual((yield* ask("GET /api/v1/users", { token })).status, 403)
      const back = yield* ask(`PATCH /api/v1/users/${ada!.id}`, { token: eve.token, body: { role: "superuser" } })
      assert.strictEqual(back.status, 200)
      yield* users.remove({ params: eve.params })
      assert.isFalse(yield* isGood(eve.token))
    })
  )

  it.effect("is changed and deleted only in the version that was read", () =>
    Effect.gen(function* () {
      const { token } = yield* root
      const bob = yield* made()
      const route = `/api/v1/users/${bob.id}`
      const before = (yield* ask(`GET ${route}`, { token })).headers.get("etag")!
      const change = (tag: string) =>
        ask(`PATCH ${route}`, { token, body: { is_disabled: true }, headers: { "if-match": tag } })
      const changed = yield* change(before)
      assert.strictEqual(changed.status, 200)
      const after = changed.headers.get("etag")!
      assert.notStrictEqual(after, before)
      const late = yield* change(before)
      assert.deepStrictEqual([late.status, late.json["code"]], [412, "precondition_failed"])
      const remove = (tag: string) => ask(`DELETE ${route}`, { token, headers: { "if-match": tag } })
      assert.strictEqual((yield* remove(before)).status, 412)
      assert.strictEqual((yield* remove(after)).status, 204)
    })
  )

  it.effect("is found by role, group, state, name and a part of it", () =>
    Effect.gen(function* () {
      const { groups, token, users } = yield* root
      const group = yield* groups.create({ payload: { name: "found" } })
      const [ann, bob] = [yield* made("operator", [group.id]), yield* made("superuser", [group.id])]
      yield* users.change({ params: ann.params, payload: { isDisabled: true } })
      type Query = NonNullable<Parameters<typeof users.list>[0]>["query"]
      const found = (query: Query) =>
        Effect.map(users.list({ query: { group_id: group.id, ...query } }), ({ items }) => items.map(({ id }) => id))
      assert.deepStrictEqual(yield* found({}), [ann.id, bob.id])
      assert.deepStrictEqual(yield* found({ role: "superuser" }), [bob.id])
      assert.deepStrictEqual(yield* found({ is_disabled: true }), [ann.id])
      assert.deepStrictEqual(yield* found({ is_disabled: false }), [bob.id])
      assert.deepStrictEqual(yield* found({ search: bob.username.slice(8).toUpperCase() }), [bob.id])
      assert.deepStrictEqual(yield* found({ search: "%" }), [])
      const exact = yield* users.list({ query: { username: ann.username.toUpperCase() } })
      assert.deepStrictEqual(
        exact.items.map(({ id }) => id),
        [ann.id]
      )
      assert.deepStrictEqual((yield* users.list({ query: { username: ann.username.slice(1) } })).items, [])
      const first = yield* users.list({ query: { group_id: group.id, limit: 1 } })
      const second = yield* users.list({ query: { group_id: group.id, limit: 1, cursor: first.nextCursor! } })
      assert.deepStrictEqual(
        [...first.items, ...second.items].map(({ id }) => id),
        [ann.id, bob.id]
      )
      assert.isNull(second.nextCursor)
      for (const query of ["role=root", "is_disabled=yes", "group_id=1", "search=", "username=a%20b", "who=me"])
        assert.strictEqual((yield* ask(`GET /api/v1/users?${query}`, { token })).status, 400, query)
      const wire = yield* ask(`GET /api/v1/users?is_disabled=true&group_id=${group.id}`, { token })
      assert.deepStrictEqual(
        wire.json["items"].map(({ id }: { id: string }) => id),
        [ann.id]
      )
    })
  )

  it.effect("has an allowance that names the group which gave each field, and an operator sees its own", () =>
    Effect.gen(function* () {
      const { groups, users } = yield* root
      const small = yield* groups.create({ payload: { name: "small", maxTraffic: 10n, maxSpeed: 1000n } })
      const large = yield* groups.create({
        payload: { name: "large", maxTraffic: 20n, maxSpeed: 500n, trafficResetPeriod: "P30D" }
      })
      const bob = yield* made("operator", [small.id, large.id])
      const { allowance } = yield* users.get({ params: bob.params })
      assert.deepStrictEqual(allowance, {
        maxTraffic: 20n,
        maxSpeed: 1000n,
        trafficResetPeriod: null,
        from: { maxTraffic: large.id, maxSpeed: small.id, trafficResetPeriod: small.id },
        warnings: [
          {
            code: "traffic_never_resets",
            detail: "max_traffic is finite and never resets: once it is used up, it stays so"
          }
        ]
      })
      const me = yield* ask("GET /api/v1/session", { token: bob.token })
      assert.deepInclude(me.json["user"].allowance, { max_traffic: 20, max_speed: 1000 })
      assert.deepStrictEqual(me.json["user"].allowance.from, {
        max_traffic: large.id,
        max_speed: small.id,
        traffic_reset_period: small.id
      })
      assert.strictEqual((yield* ask(`GET /api/v1/users/${bob.id}`, { token: bob.token })).status, 200)
      const none = yield* made()
      const unrestricted = yield* users.get({ params: none.params })
      assert.deepStrictEqual(unrestricted.allowance.from, {
        maxTraffic: null,
        maxSpeed: null,
        trafficResetPeriod: null
      })
      assert.isNull(unrestricted.allowance.maxTraffic)
    })
  )
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A group", (it) => {
  it.effect("is found by a part of its name", () =>
    Effect.gen(function* () {
      const { groups } = yield* root
      const mark = crypto.randomUUID()
      const ids = yield* Effect.forEach(["Half Price", "50% off"], (name) =>
        Effect.map(groups.create({ payload: { name: `${name} ${mark}` } }), ({ id }) => id)
      )
      const found = (search: string) =>
        Effect.map(groups.list({ query: { search } }), ({ items }) => items.map(({ id }) => id))
      assert.deepStrictEqual(yield* found(mark), ids)
      assert.deepStrictEqual(yield* found(`half price ${mark}`), [ids[0]!])
      assert.deepStrictEqual(yield* found(`50% OFF ${mark}`), [ids[1]!])
      assert.deepStrictEqual(yield* found(`50_ off ${mark}`), [])
    })
  )

  it.effect("that is deleted says what that did to its users", () =>
    Effect.gen(function* () {
      const { audit, groups, token, users } = yield* root
      const large = yield* groups.create({ payload: { name: "large", maxTraffic: 1000n } })
      const empty = yield* groups.create({ payload: { name: "empty", maxTraffic: 0n } })
      const [ann, bob] = [yield* made("operator", [large.id]), yield* made("operator", [large.id, empty.id])]
      assert.isFalse((yield* users.get({ params: bob.params })).isOverLimit)
      const refused = yield* ask(`DELETE /api/v1/groups/${large.id}`, { token: ann.token })
      assert.strictEqual(refused.status, 403)
      const removal = yield* groups.remove({ params: { id: large.id } })
      assert.deepStrictEqual(removal, { users: 2, unrestricted: 1, overLimit: 1 })
      assert.isTrue((yield* users.get({ params: bob.params })).isOverLimit)
      const unrestricted = yield* users.get({ params: ann.params })
      assert.deepStrictEqual([unrestricted.groupIds, unrestricted.allowance.maxTraffic], [[], null])
      const { items } = yield* audit.list({ query: { target_id: large.id } })
      assert.deepInclude(items[0]!.meta, { users: 2, unrestricted: 1, over_limit: 1 })
      assert.deepInclude(items[0]!.meta, { name: { before: "large", after: null } })
      assert.strictEqual((yield* Effect.flip(groups.remove({ params: { id: large.id } })))._tag, "NotFound")
      assert.strictEqual((yield* ask(`DELETE /api/v1/groups/${empty.id}`, { token })).json["users"], 1)
    })
  )

  it.effect("must be there to be joined, and there is an end to how many one joins", () =>
    Effect.gen(function* () {
      const { token } = yield* root
      const bob = yield* made()
      const join = (group_ids: ReadonlyArray<string>) =>
        ask(`PUT /api/v1/users/${bob.id}/groups`, { token, body: { group_ids } })
      const unknown = yield* join([unknownId])
      assert.deepStrictEqual([unknown.status, unknown.json["errors"][0].field], [422, "group_ids"])
      assert.strictEqual((yield* join(Array.from({ length: 101 }, () => crypto.randomUUID()))).status, 400)
      assert.strictEqual((yield* join([])).status, 200)
    })
  )
})
