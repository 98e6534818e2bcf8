/** Records through the typed client: what was reported, by whom it may be seen, and what is done with the rest. */
import { assert, layer } from "@effect/vitest"
import { Client } from "@vpnmgr/api"
import { AuditLog, AuditSeal, AuditTrail, Id } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as Server from "./Server.ts"

const { ask } = Server

const password = "twelve chars and more"
let count = 0

/** A superuser, an operator, and a node with a subscription of each. */
const arrange = Effect.gen(function* () {
  const baseUrl = yield* Server.baseUrl
  const root = yield* Client.make({ baseUrl, token: Redacted.make(yield* Server.signedIn) })
  const username = `op-${(count += 1)}`
  const operator = yield* root.users.create({ payload: { username, password, role: "operator" } })
  const { json } = yield* ask("POST /api/v1/session", { body: { username, password } })
  const mine = yield* Client.make({ baseUrl, token: Redacted.make(json["token"] as string) })
  const node = yield* root.nodes.create({ payload: {} })
  const { key } = yield* root.nodes.createToken({ params: { id: node.id } })
  const inbound = yield* root.inbounds.create({
    payload: { nodeId: node.id, host: "vpn.example.com", port: 443, settings: { protocol: "shadowsocks" } }
  })
  const inboundIds = [inbound.id]
  const own = yield* root.subscriptions.create({ payload: { ownerId: operator.id, inboundIds } })
  const others = yield* root.subscriptions.create({ payload: { inboundIds } })
  const agent = yield* Client.makeNode({ baseUrl, key: Redacted.make(key!) })
  const state = yield* agent.state({ query: {} })
  const credentials = (state?.credentials ?? []).filter(({ open }) => open.length > 0).map(({ ref }) => ref)
  const spool = crypto.randomUUID()
  const report = (seq: number, entries: ReadonlyArray<readonly [credential: number, inbound: number, up: bigint]>) => {
    const to = Date.now()
    return agent.reports({
      payload: {
        batch: {
          spool,
          seq,
          from: to - 1000,
          to,
          entries: entries.map(([credential, inbound, bytesUp]) => ({ credential, inbound, bytesUp, bytesDown: 1n }))
        },
        sentAt: to,
        lowest: 1,
        agentVersion: "test",
        planeVersion: null
      }
    })
  }
  return {
    root,
    mine,
    operator,
    node,
    inbound,
    inboundRef: state?.inbounds[0]?.ref ?? 0,
    own,
    others,
    credentials,
    report
  }
})

layer(Server.layer({ local: false }), { excludeTestServices: true })("Records", (it) => {
  it.effect("shows everybody's to a superuser, and to an operator what was its own at the time", () =>
    Effect.gen(function* () {
      const { root, mine, node, own, others, inboundRef, credentials, report } = yield* arrange
      yield* report(
        1,
        credentials.map((ref) => [ref, inboundRef, 10n] as const)
      )
      const query = { node_id: node.id }
      const everybody = yield* root.trafficReports.list({ query })
      assert.sameMembers(
        everybody.items.map(({ subscriptionId }) => subscriptionId),
        [own.id, others.id]
      )
      const seen = yield* mine.trafficReports.list({ query })
      assert.deepStrictEqual(
        seen.items.map(({ subscriptionId, bytesUp, bytesDown }) => [subscriptionId, bytesUp, bytesDown]),
        [[own.id, 10n, 1n]]
      )
      assert.deepStrictEqual((yield* mine.trafficReports.list({ query: { subscription_id: others.id } })).items, [])
      const uses = yield* mine.accessLog.list({ query })
      assert.deepStrictEqual(
        uses.items.map(({ subscriptionId }) => subscriptionId),
        [own.id]
      )
      assert.strictEqual((yield* root.accessLog.list({ query })).items.length, 2)

      yield* Effect.sleep("1100 millis")
      yield* root.subscriptions.change({ params: { id: own.id }, payload: { ownerId: null } })
      yield* Effect.sleep("1100 millis")
      yield* report(
        2,
        credentials.map((ref) => [ref, inboundRef, 20n] as const)
      )
      const after = yield* mine.trafficReports.list({ query })
      assert.deepStrictEqual(
        after.items,
        seen.items,
        "what was counted while it was its own stays its own, and no more"
      )
      assert.strictEqual((yield* root.trafficReports.list({ query })).items.length, 4)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("keeps a batch whose number was taken, for superusers", () =>
    Effect.gen(function* () {
      const { root, mine, node, inboundRef, credentials, report } = yield* arrange
      yield* report(1, [[credentials[0]!, inboundRef, 10n]])
      assert.strictEqual((yield* Effect.flip(report(1, [[credentials[0]!, inboundRef, 11n]])))._tag, "BatchConflict")
      const { items } = yield* root.reportConflicts.list({ query: { node_id: node.id } })
      assert.deepStrictEqual(
        items.map(({ seq, entryCount }) => [seq, entryCount]),
        [[1, 1]]
      )
      const whole = yield* root.reportConflicts.get({ params: { id: items[0]!.id } })
      assert.deepStrictEqual(whole.entries, [
        { credential: credentials[0]!, inbound: inboundRef, bytesUp: 11n, bytesDown: 1n }
      ])
      assert.strictEqual((yield* Effect.flip(mine.reportConflicts.list({ query: {} })))._tag, "Forbidden")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("meters the quarantine by reason, and counts an entry that a superuser applies", () =>
    Effect.gen(function* () {
      const { root, mine, node, inbound, own, inboundRef, credentials, report } = yield* arrange
      yield* report(1, [
        [2 ** 31 - 1, inboundRef, 7n],
        [credentials[0]!, inboundRef, -7n]
      ])
      const { text } = yield* ask("GET /metrics")
      assert.match(text, /quarantined_entries_total\{[^}]*reason="unknown_credential"[^}]*\} [1-9]/)
      assert.match(text, /quarantined_entries_total\{[^}]*reason="negative"[^}]*\} [1-9]/)

      const query = { node_id: node.id, reason: "unknown_credential" } as const
      const [found] = (yield* root.quarantine.list({ query })).items
      const params = { id: found!.id }
      assert.strictEqual((yield* Effect.flip(mine.quarantine.apply({ params, payload: {} })))._tag, "Forbidden")
      const refused = yield* Effect.flip(root.quarantine.apply({ params, payload: {} }))
      assert.strictEqual(refused._tag === "Invalid" ? refused.errors?.[0]?.field : refused._tag, "subscription_id")
      const payload = { subscriptionId: own.id, inboundId: inbound.id }
      const applied = yield* root.quarantine.apply({ params, payload })
      assert.strictEqual(applied.state, "applied")
      assert.strictEqual((yield* root.subscriptions.get({ params: { id: own.id } })).usedBytes, 8n)
      assert.strictEqual((yield* Effect.flip(root.quarantine.apply({ params, payload })))._tag, "Invalid")
      assert.strictEqual((yield* root.subscriptions.get({ params: { id: own.id } })).usedBytes, 8n)
      assert.deepStrictEqual(yield* root.quarantine.get({ params }), applied)

      const open = yield* root.quarantine.list({ query: { node_id: node.id, state: "open" } })
      assert.deepStrictEqual(
        open.items.map(({ reason }) => reason),
        ["negative"]
      )
      yield* root.quarantine.dismiss({ params: { id: open.items[0]!.id } })
      const trail = yield* root.audit.list({ query: { action: "quarantine.dismiss", target_id: open.items[0]!.id } })
      assert.strictEqual(trail.items.length, 1)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("shows the seals of the audit trail, and that it is what was sealed", () =>
    Effect.gen(function* () {
      const { root, mine } = yield* arrange
      const audit = yield* AuditLog.AuditStore
      const trail = yield* AuditTrail.AuditTrail
      const day = 86_400_000
      const today = AuditSeal.startOf(AuditSeal.dayOf(Date.now()))
      yield* audit.append(
        [today + day, today + day + 1, today + 2 * day].map((timestamp) => ({
          id: Id.v7(timestamp, crypto.getRandomValues(new Uint8Array(10))),
          timestamp,
          actorId: Id.system,
          action: "test.future",
          targetType: "test",
          targetId: Id.system,
          meta: {}
        }))
      )
      yield* TestClock.layer().pipe(
        Layer.build,
        Effect.flatMap((clock) =>
          Effect.provideContext(Effect.andThen(TestClock.setTime(today + 3.5 * day), trail.seal), clock)
        ),
        Effect.scoped
      )
      const first = yield* root.audit.seals({ query: { limit: 1 } })
      const second = yield* root.audit.seals({ query: { limit: 1, cursor: first.nextCursor! } })
      assert.deepStrictEqual(
        [...first.items, ...second.items].map(({ day, recordCount }) => [day, recordCount]),
        [
          [AuditSeal.dayOf(today + 2 * day), 1],
          [AuditSeal.dayOf(today + day), 2]
        ]
      )
      assert.strictEqual(first.items[0]!.previous, second.items[0]!.digest)
      assert.deepStrictEqual(yield* root.audit.verify({ query: { from: today + day, to: today + 4 * day } }), {
        isIntact: true,
        days: [
          { day: AuditSeal.dayOf(today + day), state: "matches", recordCount: 2 },
          { day: AuditSeal.dayOf(today + 2 * day), state: "matches", recordCount: 1 }
        ]
      })
      assert.isTrue((yield* root.audit.verify({ query: {} })).isIntact)
      const long = yield* Effect.flip(root.audit.verify({ query: { from: today - 40 * day } }))
      assert.strictEqual(long._tag === "Invalid" ? long.errors?.[0]?.field : long._tag, "to")
      assert.strictEqual((yield* Effect.flip(mine.audit.verify({ query: {} })))._tag, "Forbidden")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
