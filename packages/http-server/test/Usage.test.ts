import { assert, layer } from "@effect/vitest"
import { Client, Usage } from "@vpnmgr/api"
import { Enforcer, InventoryStore, SubscriptionStore, UsageStore } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

const { ask } = Server

const hour = 3_600_000
const day = 24 * hour

const clientOf = Effect.fnUntraced(function* (token: string) {
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token: Redacted.make(token) })
})

let people = 0

/** Two operators, the first with a subscription on an inbound of each of two nodes, and a way to report for it. */
const scene = Effect.gen(function* () {
  const root = yield* clientOf(yield* Server.signedIn)
  const operator = Effect.gen(function* () {
    const account = { username: `user.${++people}`, password: "twelve chars and more" }
    const { id } = yield* root.users.create({ payload: { ...account, role: "operator" } })
    const { json } = yield* ask("POST /api/v1/session", { body: account })
    return { id, client: yield* clientOf(json["token"] as string) }
  })
  const [ann, bob] = [yield* operator, yield* operator]
  const settings = { protocol: "shadowsocks" } as const
  const inbounds = yield* Effect.forEach([1337, 1000], (trafficMultiplier) =>
    Effect.gen(function* () {
      const { id: nodeId } = yield* root.nodes.create({ payload: {} })
      const { id: tokenId } = yield* root.nodes.createToken({ params: { id: nodeId } })
      const payload = { nodeId, host: "a.example", port: 1, trafficMultiplier, settings }
      const { id } = yield* root.inbounds.create({ payload })
      const [{ ref } = { ref: 0 }] = yield* (yield* InventoryStore.InventoryStore).inbounds([id])
      return { id, ref, origin: { nodeId, tokenId } }
    })
  )
  const made = yield* ann.client.subscriptions.create({ payload: { inboundIds: inbounds.map(({ id }) => id) } })
  const { credential } = (yield* (yield* SubscriptionStore.SubscriptionStore).get(made.id))!
  let seq = 0
  const report = Effect.fnUntraced(function* (on: 0 | 1, bytesDown: bigint, to: number) {
    const { origin, ref } = inbounds[on]!
    const entries = [{ credential, inbound: ref, bytesUp: 1n, bytesDown }]
    const batch = { spool: origin.nodeId, seq: ++seq, from: to - 1000, to, entries }
    const from = { sentAt: Date.now(), lowest: 1, agentVersion: "test", planeVersion: null }
    yield* (yield* Enforcer.Enforcer).report(origin, { batch, ...from })
  })
  return { root, ann, bob, inbounds, id: made.id, report }
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("Usage", (it) => {
  it.effect("is shown by hour, day, inbound and node, rounded up once a row", () =>
    Effect.gen(function* () {
      const { ann, bob, root, inbounds, id, report } = yield* scene
      const today = Math.floor(Date.now() / day) * day
      const yesterday = today - day
      yield* report(0, 0n, yesterday + 2 * hour - 10)
      yield* report(0, 0n, yesterday + 2 * hour - 5000)
      yield* report(1, 9n, yesterday + 3 * hour - 10)
      yield* report(0, 6n, today - day - 10)
      const span = { from: today - 2 * day, to: today }
      const { usage } = ann.client.subscriptions
      const rows = (by: "hour" | "day" | "inbound" | "node") =>
        Effect.map(usage({ params: { id }, query: { by, ...span } }), ({ items }) =>
          items.map(({ at, bytesDown, bytesUp, inboundId, nodeId, usedBytes }) => [
            at ?? inboundId ?? nodeId,
            bytesUp,
            bytesDown,
            usedBytes
          ])
        )
      const [one, two] = inbounds
      assert.deepStrictEqual(yield* rows("hour"), [
        [today - day - hour, 1n, 6n, 10n],
        [yesterday + hour, 2n, 0n, 3n],
        [yesterday + 2 * hour, 1n, 9n, 10n]
      ])
      assert.deepStrictEqual(yield* rows("day"), [
        [today - 2 * day, 1n, 6n, 10n],
        [yesterday, 3n, 9n, 13n]
      ])
      assert.sameDeepMembers(yield* rows("inbound"), [
        [one!.id, 3n, 6n, 13n],
        [two!.id, 1n, 9n, 10n]
      ])
      assert.sameDeepMembers(yield* rows("node"), [
        [one!.origin.nodeId, 3n, 6n, 13n],
        [two!.origin.nodeId, 1n, 9n, 10n]
      ])
      const pieces = yield* usage({ params: { id }, query: span })
      assert.deepStrictEqual(
        pieces.items.map(({ inboundId, nodeId, usedBytes }) => [inboundId, nodeId, usedBytes]),
        [
          [one!.id, null, 10n],
          [one!.id, null, 2n],
          [one!.id, null, 2n],
          [two!.id, null, 10n]
        ]
      )

      const ofAnn = yield* ann.client.users.usage({ params: { id: ann.id }, query: span })
      assert.deepStrictEqual(
        ofAnn.items.map(({ at, usedBytes }) => [at, usedBytes]),
        [
          [today - 2 * day, 10n],
          [yesterday, 13n]
        ]
      )
      const byNode = yield* root.users.usage({ params: { id: ann.id }, query: { by: "node", ...span } })
      assert.sameDeepMembers(
        byNode.items.map(({ nodeId, usedBytes }) => [nodeId, usedBytes]),
        [
          [one!.origin.nodeId, 13n],
          [two!.origin.nodeId, 10n]
        ]
      )
      assert.deepStrictEqual((yield* bob.client.users.usage({ params: { id: bob.id }, query: span })).items, [])
      for (const refused of [
        bob.client.users.usage({ params: { id: ann.id }, query: {} }),
        bob.client.subscriptions.usage({ params: { id }, query: { by: "day" } })
      ])
        assert.strictEqual((yield* Effect.flip(refused))._tag, "NotFound")
      for (const query of [
        { by: "hour", from: today - 32 * day, to: today },
        { by: "node", from: today - 367 * day, to: today },
        { from: today, to: today - 1 }
      ] as const)
        assert.strictEqual((yield* Effect.flip(usage({ params: { id }, query })))._tag, "Invalid")
      assert.strictEqual(
        (yield* usage({ params: { id }, query: { by: "node", from: today - 366 * day, to: today } })).items.length,
        2
      )
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})

let kept = 0

const manyPieces = Layer.effect(
  UsageStore.UsageStore,
  Effect.map(UsageStore.UsageStore, (store) =>
    UsageStore.UsageStore.of({
      ...store,
      pieces: (inboundId, from, _to, limit = kept) =>
        Effect.succeed(
          Array.from({ length: Math.min(kept, limit) }, (_, n) => ({
            inboundId,
            at: from + n,
            up: 1n,
            down: 0n,
            weighted: 1n
          }))
        )
    })
  )
)

layer(Server.layer({ local: false }, manyPieces), { excludeTestServices: true })("Usage in pieces", (it) => {
  it.effect("is refused when there are more than fit in one answer", () =>
    Effect.gen(function* () {
      const client = yield* clientOf(yield* Server.signedIn)
      const { id } = yield* client.subscriptions.create({ payload: {} })
      const asked = { params: { id }, query: {} }
      kept = Usage.mostPieces
      assert.strictEqual((yield* client.subscriptions.usage(asked)).items.length, Usage.mostPieces)
      kept += 1_000_000
      const refused = yield* Effect.flip(client.subscriptions.usage(asked))
      assert.strictEqual(refused._tag === "Invalid" ? refused.errors?.[0]?.field : refused._tag, "from")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
