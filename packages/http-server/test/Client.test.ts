import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

layer(Server.layer({ local: false }), { excludeTestServices: true })("The typed client", (it) => {
  it.effect("speaks in camelCase, bigint and typed failures", () =>
    Effect.gen(function* () {
      const token = Redacted.make(yield* Server.signedIn)
      const baseUrl = yield* Server.baseUrl
      const client = yield* Client.make({ baseUrl, token })
      const group = yield* client.groups.create({ payload: { name: "Large", maxTraffic: 2n ** 60n } })
      assert.strictEqual(group.maxTraffic, 2n ** 60n)
      const changed = yield* client.groups.change({ params: { id: group.id }, payload: { maxTraffic: null } })
      assert.isNull(changed.maxTraffic)

      for (let n = 0; n < 5; n++) yield* client.subscriptions.create({ payload: { title: `s${n}` } })
      const first = yield* client.subscriptions.list({ query: { limit: 3 } })
      const second = yield* client.subscriptions.list({ query: { limit: 3, cursor: first.nextCursor! } })
      assert.deepStrictEqual(
        [...first.items, ...second.items].map(({ title }) => title),
        ["s0", "s1", "s2", "s3", "s4"]
      )
      assert.isNull(second.nextCursor)

      const missing = yield* Effect.flip(client.users.get({ params: { id: group.id } }))
      assert.strictEqual(missing._tag, "NotFound")
      const taken = yield* Effect.flip(
        client.users.create({ payload: { username: "Ada", password: "twelve chars and more", role: "operator" } })
      )
      assert.strictEqual(taken._tag === "AlreadyExists" ? taken.errors?.[0]?.field : taken._tag, "username")
      const anonymous = yield* Client.make({ baseUrl, token: null })
      assert.strictEqual((yield* Effect.flip(anonymous.session.me({})))._tag, "Unauthorized")

      const node = yield* client.nodes.create({ payload: { linkSpeed: 10n ** 9n } })
      const { key } = yield* client.nodes.createToken({ params: { id: node.id } })
      const agent = yield* Client.makeNode({ baseUrl, key: Redacted.make(key!) })
      const state = yield* agent.state({ query: {} })
      assert.strictEqual(state?.protocol, "1.0")
      const { generation = "", revision = 0 } = state ?? {}
      assert.isNull(yield* agent.state({ query: { generation, revision } }))
      const receipt = yield* agent.reports({
        payload: {
          batch: { spool: node.id, seq: 1, from: Date.now() - 1000, to: Date.now(), entries: [] },
          sentAt: Date.now(),
          lowest: 1,
          agentVersion: "test",
          planeVersion: null
        }
      })
      assert.deepStrictEqual(receipt, { spool: node.id, seq: 1 })
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
