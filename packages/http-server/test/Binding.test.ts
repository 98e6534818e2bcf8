import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { BucketStore, Ledger, NodeStateStore, Transaction } from "@vpnmgr/core"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

const { ask } = Server

const clientOf = Effect.fnUntraced(function* (token: string) {
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token: Redacted.make(token) })
})

let people = 0

/** A superuser, and an operator with these limits. */
const scene = Effect.fnUntraced(function* (limits: { readonly maxTraffic?: bigint; readonly maxSpeed?: bigint }) {
  const root = yield* clientOf(yield* Server.signedIn)
  const account = { username: `bound.${++people}`, password: "twelve chars and more" }
  const group = yield* root.groups.create({ payload: { name: account.username, trafficResetPeriod: "P1D", ...limits } })
  const { id } = yield* root.users.create({ payload: { ...account, role: "operator", groupIds: [group.id] } })
  const { json } = yield* ask("POST /api/v1/session", { body: account })
  return { root, id, group, client: yield* clientOf(json["token"] as string) }
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("A subscription's view", (it) => {
  it.effect("tells which bucket binds, what is left of it and when it frees, alone and in a list", () =>
    Effect.gen(function* () {
      const { client, group, root } = yield* scene({ maxTraffic: 1000n, maxSpeed: 8_000_000n })
      const { subscriptions } = client
      const made = yield* subscriptions.create({ payload: { maxTraffic: 900n, maxSpeed: 9_000_000n } })
      const params = { id: made.id }
      assert.deepStrictEqual(made.binding, { bucket: "own", remainingBytes: 900n, freesAt: null })
      assert.deepStrictEqual(made.effectiveSpeed, { maxSpeed: 8_000_000n, from: "owner" })

      const wide = yield* subscriptions.change({ params, payload: { maxTraffic: 1001n, maxSpeed: 7_000_000n } })
      assert.strictEqual(wide.binding?.bucket, "owner")
      assert.strictEqual(wide.binding?.remainingBytes, 1000n)
      assert.isAbove(wide.binding?.freesAt ?? 0, Date.now())
      assert.deepStrictEqual(wide.effectiveSpeed, { maxSpeed: 7_000_000n, from: "own" })
      const unlimited = yield* subscriptions.change({ params, payload: { maxTraffic: null, maxSpeed: null } })
      assert.strictEqual(unlimited.binding?.bucket, "owner")

      const none = yield* subscriptions.change({ params, payload: { maxTraffic: 0n } })
      assert.deepStrictEqual(none.binding, { bucket: "own", remainingBytes: 0n, freesAt: null })
      assert.strictEqual(none.state, "over_limit")

      const { items } = yield* subscriptions.list({ query: {} })
      assert.deepStrictEqual(
        items.map(({ binding, effectiveSpeed }) => [binding, effectiveSpeed]),
        [[none.binding, { maxSpeed: 8_000_000n, from: "owner" }]]
      )
      yield* subscriptions.change({ params, payload: { maxTraffic: null } })
      yield* root.groups.change({ params: { id: group.id }, payload: { maxTraffic: null, maxSpeed: null } })
      const free = yield* subscriptions.get({ params })
      assert.isNull(free.binding)
      assert.deepStrictEqual(free.effectiveSpeed, { maxSpeed: null, from: null })
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("follows what is used: the one that is exhausted binds until it frees", () =>
    Effect.gen(function* () {
      const { client, id: ownerId } = yield* scene({ maxTraffic: 1000n })
      const { subscriptions } = client
      const made = yield* subscriptions.create({ payload: { maxTraffic: 1n } })
      const buckets = yield* BucketStore.BucketStore
      const transaction = yield* Transaction.Transaction
      const until = Date.now() + 3_600_000
      yield* transaction.run(buckets.flip([{ kind: "owner", id: ownerId, exhaustedUntil: until }]))
      const over = yield* subscriptions.get({ params: { id: made.id } })
      assert.deepStrictEqual([over.state, over.overLimitUntil], ["over_limit", until])
      assert.deepStrictEqual(over.binding, { bucket: "owner", remainingBytes: 0n, freesAt: until })
      yield* transaction
        .run(Ledger.change([{ kind: "owner", id: ownerId }], (bucket) => bucket))
        .pipe(Effect.provideService(NodeStateStore.NodeStateStore, yield* NodeStateStore.NodeStateStore))
      const back = yield* subscriptions.get({ params: { id: made.id } })
      assert.deepStrictEqual([back.state, back.binding?.bucket, back.binding?.remainingBytes], ["active", "own", 1n])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("says what each node made of its newest change, and to superusers why one failed", () =>
    Effect.gen(function* () {
      const { client, root } = yield* scene({})
      const node = yield* root.nodes.create({ payload: {} })
      const settings = { protocol: "shadowsocks" } as const
      const inbound = yield* root.inbounds.create({
        payload: { nodeId: node.id, host: "a.example", port: 1, settings }
      })
      const key = (yield* root.nodes.createToken({ params: { id: node.id } })).key!
      const { id } = yield* client.subscriptions.create({ payload: { inboundIds: [inbound.id] } })
      const seen = Effect.map(
        Effect.all([client.subscriptions.get({ params: { id } }), root.subscriptions.get({ params: { id } })]),
        (views) => views.flatMap(({ convergence }) => convergence.map(({ state, lastError }) => [state, lastError]))
      )
      assert.deepStrictEqual(yield* seen, [
        ["pending", null],
        ["pending", null]
      ])
      yield* (yield* NodeStateStore.NodeStateStore).assign
      const say = Effect.fnUntraced(function* (outcome: "applied" | "failed", detail: string | null) {
        const agent = { token: key, headers: { "vpnmgr-protocol": "1.0" } }
        const { generation, revision } = (yield* ask("GET /node/v1/state", agent)).json
        const versions = { agent_version: "test", plane_version: null }
        const body = { generation, revision, outcome, detail, certificates: [], ...versions }
        assert.strictEqual((yield* ask("POST /node/v1/applied", { ...agent, body })).status, 204)
      })
      yield* say("failed", "no such port")
      assert.deepStrictEqual(yield* seen, [
        ["failed", null],
        ["failed", "no such port"]
      ])
      yield* say("applied", null)
      assert.deepStrictEqual(yield* seen, [
        ["applied", null],
        ["applied", null]
      ])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
