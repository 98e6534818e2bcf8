import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { Links } from "@vpnmgr/core"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

const { ask } = Server

const clientOf = Effect.fnUntraced(function* (token: string) {
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token: Redacted.make(token) })
})

let port = 0
const names = { next: 0 }

/** A superuser, two operators, and three inbounds of one node, the last one inactive. */
const scene = Effect.gen(function* () {
  const root = yield* clientOf(yield* Server.signedIn)
  const operator = Effect.gen(function* () {
    const account = { username: `linker.${++names.next}`, password: "twelve chars and more" }
    const { id } = yield* root.users.create({ payload: { ...account, role: "operator" } })
    const token = (yield* ask("POST /api/v1/session", { body: account })).json["token"] as string
    return { id, token, client: yield* clientOf(token) }
  })
  const node = yield* root.nodes.create({ payload: {} })
  const inbound = Effect.suspend(() =>
    root.inbounds.create({
      payload: { nodeId: node.id, host: "a.example", port: ++port, settings: { protocol: "shadowsocks" } }
    })
  )
  const [one, two, off] = [yield* inbound, yield* inbound, yield* inbound]
  yield* root.inbounds.change({ params: { id: off.id }, payload: { isActive: false } })
  const [ann, bob] = [yield* operator, yield* operator]
  const hers = Effect.suspend(() => ann.client.subscriptions.create({ payload: {} }))
  return { root, ann, bob, one, two, off, hers }
})

const actionsOn = Effect.fnUntraced(function* (root: Effect.Success<ReturnType<typeof clientOf>>, id: string) {
  const { items } = yield* root.audit.list({ query: { target_id: id } })
  return items.map(({ action }) => action)
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A subscription's inbounds", (it) => {
  it.effect("are linked and unlinked one by one, and nothing happens when it is so already", () =>
    Effect.gen(function* () {
      const { root, ann, one, two, hers } = yield* scene
      const { id } = yield* hers
      const { link, unlink } = ann.client.subscriptions
      const on = (inbound: { readonly id: string }) => ({ params: { id, inbound_id: inbound.id } })
      const first = yield* link(on(one))
      assert.deepStrictEqual(first.inboundIds, [one.id])
      const second = yield* link(on(two))
      assert.deepStrictEqual(second.inboundIds, [one.id, two.id].sort())
      assert.isAbove(second.updatedAt, first.updatedAt)
      assert.strictEqual((yield* link(on(two))).updatedAt, second.updatedAt)
      assert.deepStrictEqual((yield* unlink(on(one))).inboundIds, [two.id])
      assert.deepStrictEqual((yield* unlink(on(one))).inboundIds, [two.id])
      assert.deepStrictEqual(yield* actionsOn(root, id), [
        "subscription.unlink",
        "subscription.link",
        "subscription.link",
        "subscription.create"
      ])
      for (const act of [link, unlink]) {
        const unknown = yield* Effect.flip(act({ params: { id, inbound_id: id } }))
        assert.strictEqual(unknown._tag, "NotFound")
      }
      const path = `/api/v1/subscriptions/${id}/inbounds/${one.id}`
      const stale = yield* ask(`PUT ${path}`, { token: ann.token, headers: { "if-match": '"0"' } })
      assert.deepStrictEqual([stale.status, stale.json["code"]], [412, "precondition_failed"])
      const current = yield* ask(`GET /api/v1/subscriptions/${id}`, { token: ann.token })
      const headers = { "if-match": current.headers.get("etag")! }
      assert.strictEqual((yield* ask(`PUT ${path}`, { token: ann.token, headers })).status, 200)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("are active ones when an operator adds them; a superuser adds any, and what is linked stays", () =>
    Effect.gen(function* () {
      const { root, ann, one, off, hers } = yield* scene
      const { id } = yield* hers
      const { subscriptions } = ann.client
      const refused = [
        subscriptions.link({ params: { id, inbound_id: off.id } }),
        subscriptions.setInbounds({ params: { id }, payload: { inboundIds: [one.id, off.id] } }),
        subscriptions.create({ payload: { inboundIds: [off.id] } }),
        subscriptions.linkInbound({ params: { id: off.id }, payload: { link: [id] } })
      ]
      for (const each of refused)
        assert.strictEqual((yield* Effect.flip<unknown, { _tag: string }, never>(each))._tag, "Invalid")
      assert.deepStrictEqual((yield* subscriptions.get({ params: { id } })).inboundIds, [])
      yield* root.subscriptions.link({ params: { id, inbound_id: off.id } })
      const kept = yield* subscriptions.setInbounds({ params: { id }, payload: { inboundIds: [one.id, off.id] } })
      assert.deepStrictEqual(kept.inboundIds, [one.id, off.id].sort())
      const gone = yield* subscriptions.linkInbound({ params: { id: off.id }, payload: { unlink: [id] } })
      assert.deepStrictEqual(gone, { linked: [], unlinked: [id] })
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("are linked to many at once: all or nothing, and only to what the actor knows", () =>
    Effect.gen(function* () {
      const { root, ann, bob, one, two, hers } = yield* scene
      const mine = yield* Effect.replicateEffect(hers, 3)
      const [a, b, c] = mine.map(({ id }) => id) as [string, string, string]
      const theirs = yield* bob.client.subscriptions.create({ payload: { inboundIds: [one.id] } })
      const { linkInbound, ofInbound } = ann.client.subscriptions
      const params = { id: one.id }
      const listed = Effect.map(ofInbound({ params, query: {} }), ({ items }) => items.map(({ id }) => id))

      assert.deepStrictEqual(yield* linkInbound({ params, payload: { link: [a, b] } }), {
        linked: [a, b],
        unlinked: []
      })
      assert.deepStrictEqual(yield* listed, [a, b])
      const before = yield* ann.client.subscriptions.get({ params: { id: a } })
      const mixed = yield* linkInbound({ params, payload: { link: [b, c], unlink: [a] } })
      assert.deepStrictEqual(mixed, { linked: [c], unlinked: [a] })
      assert.deepStrictEqual(yield* listed, [b, c])
      const after = yield* ann.client.subscriptions.get({ params: { id: a } })
      assert.isAbove(after.updatedAt, before.updatedAt)
      assert.deepStrictEqual(yield* actionsOn(root, a), [
        "subscription.unlink",
        "subscription.link",
        "subscription.create"
      ])
      assert.deepStrictEqual(yield* actionsOn(root, b), ["subscription.link", "subscription.create"])
      const page = yield* ofInbound({ params, query: { sort: "-id", limit: 1 } })
      assert.deepStrictEqual(
        page.items.map(({ id }) => id),
        [c]
      )
      const next = yield* ofInbound({ params, query: { sort: "-id", limit: 1, cursor: page.nextCursor! } })
      assert.deepStrictEqual([next.items.map(({ id }) => id), next.nextCursor], [[b], null])

      for (const payload of [{ link: [a, theirs.id] }, { unlink: [b, theirs.id] }, { link: [a, one.id] }])
        assert.strictEqual((yield* Effect.flip(linkInbound({ params, payload })))._tag, "NotFound")
      assert.deepStrictEqual(yield* linkInbound({ params, payload: {} }), { linked: [], unlinked: [] })
      const both = yield* Effect.flip(linkInbound({ params, payload: { link: [a], unlink: [a] } }))
      assert.strictEqual(both._tag, "Invalid")
      assert.deepStrictEqual(yield* listed, [b, c])
      const all = yield* root.subscriptions.ofInbound({ params, query: {} })
      assert.sameMembers(
        all.items.map(({ id }) => id),
        [b, c, theirs.id]
      )
      for (const id of [a, "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e"]) {
        assert.strictEqual((yield* Effect.flip(ofInbound({ params: { id }, query: {} })))._tag, "NotFound")
        const unknown = linkInbound({ params: { id }, payload: { link: [b] } })
        assert.strictEqual((yield* Effect.flip(unknown))._tag, "NotFound")
      }
      assert.deepStrictEqual((yield* root.subscriptions.ofInbound({ params: { id: two.id }, query: {} })).items, [])
      const body = { link: Array.from({ length: Links.most + 1 }, () => a) }
      const tooMany = yield* ask(`POST /api/v1/inbounds/${one.id}/subscriptions`, { token: ann.token, body })
      assert.deepStrictEqual([tooMany.status, tooMany.json["errors"][0].field], [400, "link"])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A subscription's end", (it) => {
  it.effect("is put off: from the end, from now, and for one that has expired", () =>
    Effect.gen(function* () {
      const { root, ann, bob, one, hers } = yield* scene
      const { subscriptions } = ann.client
      const { id } = yield* hers
      const perpetual = yield* Effect.flip(subscriptions.extend({ params: { id }, payload: { period: "P1M" } }))
      assert.strictEqual(perpetual._tag, "Invalid")
      const expiresAt = Date.UTC(2090, 0, 31, 12)
      const made = yield* subscriptions.create({ payload: { expiresAt, inboundIds: [one.id] } })
      const params = { id: made.id }
      const month = yield* subscriptions.extend({ params, payload: { period: "P1M" } })
      assert.strictEqual(month.expiresAt, Date.UTC(2090, 1, 28, 12))
      const early = Date.now()
      const short = yield* subscriptions.extend({ params, payload: { period: "PT1H", from: "now" } })
      assert.isAtLeast(short.expiresAt!, early + 3_600_000)
      assert.isAtMost(short.expiresAt!, Date.now() + 3_600_000)

      const past = Date.now() - 86_400_000
      assert.strictEqual((yield* subscriptions.change({ params, payload: { expiresAt: past } })).state, "expired")
      const still = yield* subscriptions.extend({ params, payload: { period: "PT1H", from: "expiry" } })
      assert.deepStrictEqual([still.state, still.expiresAt], ["expired", past + 3_600_000])
      assert.strictEqual((yield* subscriptions.extend({ params, payload: { period: "PT1H" } })).state, "active")

      const far = yield* Effect.flip(
        subscriptions
          .change({ params, payload: { expiresAt: Date.UTC(9950, 0) } })
          .pipe(Effect.andThen(subscriptions.extend({ params, payload: { period: "P60Y" } })))
      )
      assert.strictEqual(far._tag, "Invalid")
      const other = yield* Effect.flip(bob.client.subscriptions.extend({ params, payload: { period: "P1M" } }))
      assert.strictEqual(other._tag, "NotFound")
      assert.strictEqual(
        (yield* actionsOn(root, made.id)).filter((action) => action === "subscription.extend").length,
        4
      )
      for (const body of [
        {},
        { period: "P-1D" },
        { period: "P0D" },
        { period: "1 month" },
        { period: "P1M", from: "then" }
      ])
        assert.strictEqual(
          (yield* ask(`POST /api/v1/subscriptions/${made.id}/extend`, { token: ann.token, body })).status,
          400
        )
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
