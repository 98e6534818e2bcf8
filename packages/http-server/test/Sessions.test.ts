/** Sessions and passwords: who is signed in, until when, and what ends it. */
import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { UserStore } from "@vpnmgr/core"
import { Jobs, Policy } from "@vpnmgr/http-server"
import * as Server from "./Server.ts"

const { ask } = Server

const password = "twelve chars and more"
const other = "another twelve chars"

const signIn = Effect.fnUntraced(function* (username: string, chosen = password) {
  const { json, status } = yield* ask("POST /api/v1/session", { body: { username, password: chosen } })
  return { status, token: json["token"] as string, expiresAt: json["expires_at"] as string }
})

/** A user of its own for each test, signed in. */
const made = Effect.fnUntraced(function* (role: "operator" | "superuser" = "operator") {
  const root = yield* Server.signedIn
  const username = `user-${crypto.randomUUID()}`
  const { json } = yield* ask("POST /api/v1/users", { token: root, body: { username, password, role } })
  return { id: json["id"] as string, username, root, token: (yield* signIn(username)).token }
})

const isGood = (token: string) => Effect.map(ask("GET /api/v1/session", { token }), ({ status }) => status === 200)

const clientOf = Effect.fnUntraced(function* (token: string) {
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token: Redacted.make(token) })
})

/** Actions on a target, newest first, with what is noted of each. */
const audited = Effect.fnUntraced(function* (token: string, targetId: string) {
  const { json } = yield* ask(`GET /api/v1/audit?target_id=${targetId}`, { token })
  return json["items"] as ReadonlyArray<{ action: string; actor_id: string; meta: Record<string, unknown> }>
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("Sessions", (it) => {
  it.effect("are listed to whose they are, and all of them to a superuser", () =>
    Effect.gen(function* () {
      const [bob, eve] = [yield* made(), yield* made()]
      const second = yield* signIn(bob.username)
      const client = yield* clientOf(bob.token)
      const own = yield* client.sessions.list({ query: {} })
      assert.deepStrictEqual(
        own.items.map(({ isCurrent, userId }) => [isCurrent, userId]),
        [
          [true, bob.id],
          [false, bob.id]
        ]
      )
      const page = yield* client.sessions.list({ query: { limit: 1 } })
      const next = yield* client.sessions.list({ query: { limit: 1, cursor: page.nextCursor! } })
      assert.deepStrictEqual([...page.items, ...next.items], own.items)
      assert.deepStrictEqual((yield* client.sessions.list({ query: { user_id: eve.id } })).items, [])
      assert.lengthOf((yield* client.sessions.list({ query: { user_id: bob.id } })).items, 2)
      const root = yield* clientOf(bob.root)
      assert.lengthOf((yield* root.sessions.list({ query: { user_id: eve.id } })).items, 1)
      const all = yield* root.sessions.list({ query: { limit: 200 } })
      assert.includeMembers(
        all.items.map(({ userId }) => userId),
        [bob.id, eve.id]
      )
      assert.lengthOf(
        all.items.filter(({ isCurrent }) => isCurrent),
        1
      )
      const out = yield* ask("DELETE /api/v1/session", { token: second.token })
      assert.strictEqual(out.status, 204)
      assert.lengthOf((yield* client.sessions.list({ query: {} })).items, 1)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("end at once when they are revoked, one's own or by a superuser", () =>
    Effect.gen(function* () {
      const [bob, eve] = [yield* made(), yield* made()]
      const second = yield* signIn(bob.username)
      const [bobs, eves, root] = [yield* clientOf(bob.token), yield* clientOf(eve.token), yield* clientOf(bob.root)]
      const { items } = yield* bobs.sessions.list({ query: {} })
      const [first, last] = [items.find(({ isCurrent }) => isCurrent)!, items.find(({ isCurrent }) => !isCurrent)!]
      const foreign = yield* Effect.flip(eves.sessions.revoke({ params: { id: last.id } }))
      assert.strictEqual(foreign._tag, "NotFound")
      assert.isTrue(yield* isGood(second.token))
      yield* bobs.sessions.revoke({ params: { id: last.id } })
      assert.isFalse(yield* isGood(second.token))
      assert.isTrue(yield* isGood(bob.token))
      assert.strictEqual((yield* Effect.flip(bobs.sessions.revoke({ params: { id: last.id } })))._tag, "NotFound")
      yield* root.sessions.revoke({ params: { id: first.id } })
      assert.isFalse(yield* isGood(bob.token))
      const [revoked, opened] = yield* audited(bob.root, first.id)
      assert.deepStrictEqual([revoked!.action, opened!.action], ["session.revoke", "session.open"])
      assert.strictEqual(opened!.actor_id, bob.id)
      assert.strictEqual(revoked!.meta["user_id"], bob.id)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("end all together, of oneself or of somebody by a superuser", () =>
    Effect.gen(function* () {
      const [bob, eve] = [yield* made(), yield* made()]
      const second = yield* signIn(bob.username)
      const [bobs, eves, root] = [yield* clientOf(bob.token), yield* clientOf(eve.token), yield* clientOf(bob.root)]
      const foreign = yield* Effect.flip(eves.sessions.revokeAll({ payload: { userId: bob.id } }))
      assert.strictEqual(foreign._tag, "NotFound")
      assert.isTrue(yield* isGood(bob.token))
      assert.deepStrictEqual(yield* bobs.sessions.revokeAll({ payload: { userId: bob.id } }), { endedSessions: 2 })
      assert.isFalse((yield* isGood(bob.token)) || (yield* isGood(second.token)))
      assert.isTrue(yield* isGood(eve.token))
      assert.deepStrictEqual(yield* root.sessions.revokeAll({ payload: { userId: eve.id } }), { endedSessions: 1 })
      assert.isFalse(yield* isGood(eve.token))
      const unknown = yield* Effect.flip(root.sessions.revokeAll({ payload: { userId: crypto.randomUUID() } }))
      assert.strictEqual(unknown._tag, "NotFound")
      const [record] = yield* audited(bob.root, eve.id)
      assert.deepInclude(record, { action: "user.revoke_sessions", meta: { ended_sessions: 1 } })
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("go on when they are renewed, with another token", () =>
    Effect.gen(function* () {
      const bob = yield* made()
      const client = yield* clientOf(bob.token)
      const [before] = (yield* client.sessions.list({ query: {} })).items
      yield* Effect.sleep("1100 millis")
      const renewed = yield* client.session.renew({})
      assert.isAbove(renewed.expiresAt, before!.expiresAt)
      assert.strictEqual(renewed.user.id, bob.id)
      assert.notStrictEqual(renewed.token, bob.token)
      assert.isTrue((yield* isGood(renewed.token)) && (yield* isGood(bob.token)))
      const { items } = yield* client.sessions.list({ query: {} })
      assert.deepStrictEqual(
        items.map(({ expiresAt, id }) => [id, expiresAt]),
        [[before!.id, renewed.expiresAt]]
      )
      const [record] = yield* audited(bob.root, before!.id)
      assert.strictEqual(record!.action, "session.renew")
      assert.deepStrictEqual(record!.meta["expires_at"], {
        before: new Date(before!.expiresAt).toISOString(),
        after: new Date(renewed.expiresAt).toISOString()
      })
      assert.strictEqual((yield* ask("DELETE /api/v1/session", { token: renewed.token })).status, 204)
      assert.isFalse((yield* isGood(renewed.token)) || (yield* isGood(bob.token)))
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})

layer(Server.services)("The job", (it) => {
  it.effect("removes sessions that have expired, at its start and every ten minutes", () =>
    Effect.gen(function* () {
      const users = yield* UserStore.UserStore
      const expiring = Effect.fnUntraced(function* (expiresAt: number) {
        const id = crypto.randomUUID()
        yield* users.insertSession({ id, userId: crypto.randomUUID(), createdAt: 0, expiresAt, revokedAt: null })
        return Effect.map(users.session(id), (session) => session !== null)
      })
      const minute = 60_000
      yield* TestClock.setTime(100 * minute)
      const [past, soon, later] = [
        yield* expiring(99 * minute),
        yield* expiring(105 * minute),
        yield* expiring(120 * minute)
      ]
      yield* Layer.build(Jobs.sessions)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([yield* past, yield* soon, yield* later], [false, true, true])
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual([yield* soon, yield* later], [false, true])
    })
  )
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A password", (it) => {
  it.effect("is changed by whose it is, which ends its other sessions", () =>
    Effect.gen(function* () {
      const bob = yield* made()
      const second = yield* signIn(bob.username)
      const change = (current_password: string, new_password: string) =>
        ask("PUT /api/v1/session/password", { token: bob.token, body: { current_password, new_password } })
      const wrong = yield* change("not the password", other)
      assert.deepStrictEqual([wrong.status, wrong.json["code"]], [422, "invalid"])
      assert.strictEqual(wrong.json["errors"][0].field, "current_password")
      const short = yield* change(password, "too short")
      assert.deepStrictEqual([short.status, short.json["errors"][0].field], [400, "new_password"])
      assert.strictEqual((yield* signIn(bob.username, other)).status, 401)
      assert.isTrue(yield* isGood(second.token))

      const changed = yield* change(password, other)
      assert.deepStrictEqual([changed.status, changed.json], [200, { ended_sessions: 1 }])
      assert.isTrue(yield* isGood(bob.token))
      assert.isFalse(yield* isGood(second.token))
      assert.strictEqual((yield* signIn(bob.username)).status, 401)
      assert.strictEqual((yield* signIn(bob.username, other)).status, 201)
      const [record] = yield* audited(bob.root, bob.id)
      assert.deepInclude(record, { action: "user.change_password", actor_id: bob.id, meta: { ended_sessions: 1 } })
    })
  )

  it.effect("that is guessed at makes one wait, as at the door", () =>
    Effect.gen(function* () {
      const bob = yield* made()
      const body = { current_password: "a guess of somebody", new_password: other }
      const guess = ask("PUT /api/v1/session/password", { token: bob.token, body })
      const statuses = yield* Effect.all(Array.from({ length: 5 }, () => guess))
      assert.deepStrictEqual(
        statuses.map(({ status }) => status),
        [422, 422, 422, 429, 429]
      )
      assert.match(statuses[4]!.headers.get("retry-after") ?? "", /^\d+$/)
      assert.strictEqual((yield* signIn(bob.username)).status, 429)
      assert.isTrue(yield* isGood(bob.token))
    })
  )

  it.effect("is reset by a superuser to one it gives, or to one that is shown once", () =>
    Effect.gen(function* () {
      const [bob, eve] = [yield* made(), yield* made()]
      const reset = (token: string, body: unknown, id = bob.id) =>
        ask(`POST /api/v1/users/${id}/password`, { token, body })
      assert.strictEqual((yield* reset(bob.token, { password: other })).status, 403)
      assert.strictEqual((yield* reset(eve.token, {})).status, 403)
      assert.strictEqual((yield* reset(bob.root, { password: "too short" })).status, 400)
      assert.strictEqual((yield* reset(bob.root, {}, crypto.randomUUID())).status, 404)
      assert.isTrue(yield* isGood(bob.token))

      const given = yield* reset(bob.root, { password: other })
      assert.deepStrictEqual([given.status, given.json], [200, { password: null, ended_sessions: 1 }])
      assert.isFalse(yield* isGood(bob.token))
      assert.isTrue(yield* isGood(eve.token))
      assert.strictEqual((yield* signIn(bob.username)).status, 401)
      assert.strictEqual((yield* signIn(bob.username, other)).status, 201)

      const generated = yield* reset(bob.root, {})
      const shown = generated.json["password"] as string
      assert.match(shown, /^[\w-]{20}$/)
      assert.strictEqual((yield* signIn(bob.username, other)).status, 401)
      assert.strictEqual((yield* signIn(bob.username, shown)).status, 201)
      const records = yield* ask(`GET /api/v1/audit?target_id=${bob.id}`, { token: bob.root })
      assert.deepInclude(records.json["items"][0], { action: "user.reset_password", meta: { ended_sessions: 1 } })
      assert.notInclude(records.text, shown)
      assert.notInclude(records.text, "argon2")
    })
  )

  it.effect("is not changed while acting for somebody, nor is a session renewed", () =>
    Effect.gen(function* () {
      const bob = yield* made()
      const headers = { "vpnmgr-act-for": bob.id }
      const body = { current_password: password, new_password: other }
      const acting = yield* ask("PUT /api/v1/session/password", { token: bob.root, headers, body })
      assert.strictEqual(acting.status, 403)
      assert.strictEqual((yield* ask("POST /api/v1/session/renew", { token: bob.root, headers })).status, 403)
      assert.strictEqual((yield* ask("POST /api/v1/session/renew", { token: bob.root })).status, 200)
      assert.strictEqual((yield* signIn(bob.username)).status, 201)
    })
  )
})

/** One at a time, and one that waits. */
const crowded = Layer.effect(
  Policy.Policy,
  Effect.map(Policy.Policy, (policy) => ({ ...policy, hashes: 1, waitingHashes: 2 }))
)

layer(Server.layer({ local: false }).pipe(Layer.provide(crowded)), { excludeTestServices: true })(
  "A crowd at the door",
  (it) => {
    it.effect("is answered that it is too many, and nobody's attempts are counted for it", () =>
      Effect.gen(function* () {
        const { password, username } = Server.superuser
        yield* Server.signedIn
        const answers = yield* Effect.all(
          Array.from({ length: 12 }, () => ask("POST /api/v1/session", { body: { username, password } })),
          { concurrency: 12 }
        )
        const statuses = answers.map(({ status }) => status)
        assert.includeMembers(statuses, [201, 429])
        assert.deepStrictEqual([...new Set(statuses)].sort(), [201, 429])
        assert.strictEqual((yield* signIn(username, password)).status, 201)
      })
    )
  }
)

layer(Server.layer({ local: true }), { excludeTestServices: true })("The local socket", (it) => {
  it.effect("has no session and no password, and sees everybody's sessions", () =>
    Effect.gen(function* () {
      const body = { username: "bob", password, role: "operator" }
      const bob = yield* ask("POST /api/v1/users", { body })
      const { token } = yield* signIn("bob")
      assert.strictEqual((yield* ask("POST /api/v1/session/renew")).status, 404)
      const passwords = { current_password: password, new_password: other }
      assert.strictEqual((yield* ask("PUT /api/v1/session/password", { body: passwords })).status, 404)
      assert.lengthOf((yield* ask("GET /api/v1/sessions")).json["items"], 1)
      const reset = yield* ask(`POST /api/v1/users/${bob.json["id"]}/password`, { body: {} })
      assert.strictEqual(reset.json["ended_sessions"], 1)
      assert.isFalse(yield* isGood(token))
      assert.strictEqual((yield* signIn("bob", reset.json["password"])).status, 201)
    })
  )
})
