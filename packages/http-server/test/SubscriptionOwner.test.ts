import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

const { ask } = Server

const clientOf = Effect.fnUntraced(function* (token: string) {
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token: Redacted.make(token) })
})

const operator = Effect.fnUntraced(function* (username: string) {
  const root = yield* clientOf(yield* Server.signedIn)
  const account = { username, password: "twelve chars and more" }
  const { id } = yield* root.users.create({ payload: { ...account, role: "operator" } })
  const { json } = yield* ask("POST /api/v1/session", { body: account })
  return { root, id, client: yield* clientOf(json["token"] as string) }
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A subscription's owner", (it) => {
  it.effect("is changed by superusers alone, and the subscription is the new one's from then on", () =>
    Effect.gen(function* () {
      const [ann, bob] = [yield* operator("ann"), yield* operator("bob")]
      const { root } = ann
      const made = yield* ann.client.subscriptions.create({ payload: { title: "moves" } })
      const params = { id: made.id }
      const titles = (of: typeof ann) =>
        Effect.map(of.client.subscriptions.list({ query: { search: "moves" } }), ({ items }) => items.length)
      assert.strictEqual(made.ownerId, ann.id)

      for (const ownerId of [bob.id, null, made.id]) {
        const refused = yield* Effect.flip(ann.client.subscriptions.change({ params, payload: { ownerId } }))
        assert.strictEqual(refused._tag, "Forbidden")
        const new_ = yield* Effect.flip(ann.client.subscriptions.create({ payload: { ownerId } }))
        assert.strictEqual(new_._tag, "Forbidden")
      }
      const same = yield* ann.client.subscriptions.change({ params, payload: { ownerId: ann.id } })
      assert.strictEqual(same.ownerId, ann.id)
      const unknown = yield* Effect.flip(root.subscriptions.change({ params, payload: { ownerId: made.id } }))
      assert.strictEqual(unknown._tag === "Invalid" ? unknown.errors?.[0]?.field : unknown._tag, "owner_id")

      const moved = yield* root.subscriptions.change({ params, payload: { ownerId: bob.id } })
      assert.strictEqual(moved.ownerId, bob.id)
      assert.strictEqual((yield* Effect.flip(ann.client.subscriptions.get({ params })))._tag, "NotFound")
      assert.strictEqual((yield* bob.client.subscriptions.get({ params })).title, "moves")
      assert.deepStrictEqual([yield* titles(ann), yield* titles(bob)], [0, 1])

      const orphan = yield* root.subscriptions.change({ params, payload: { ownerId: null } })
      assert.isNull(orphan.ownerId)
      assert.deepStrictEqual([yield* titles(ann), yield* titles(bob)], [0, 0])
      const { items } = yield* root.subscriptions.list({ query: { owner_id: "none", search: "moves" } })
      assert.strictEqual(items.length, 1)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
