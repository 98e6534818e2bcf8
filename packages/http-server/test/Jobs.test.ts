/** What the jobs keep, seal and let go, as days pass. */
import { assert, layer } from "@effect/vitest"
import {
  Actor,
  AuditLog,
  AuditTrail,
  ControlPlane,
  Enforcer,
  Inbounds,
  Inventory,
  MemoryStores,
  RecordStore,
  Spares,
  Subscriptions
} from "@vpnmgr/core"
import { Jobs, Policy } from "@vpnmgr/http-server"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"

const hour = 3_600_000
const day = 24 * hour
const noon = Date.UTC(2026, 0, 15, 12)
const page = { after: null, limit: 100 }

const policy = Layer.effect(
  Policy.Policy,
  Effect.map(Policy.Policy, (policy) => ({
    ...policy,
    retention: 2 * day,
    accessRetention: 5 * day,
    auditRetention: 8 * day
  }))
)

const jobs = Layer.mergeAll(Jobs.retention, Jobs.seals).pipe(Layer.provide(policy))
const services = ControlPlane.layer.pipe(Layer.provideMerge(MemoryStores.layer))

/** A subscription, and a report of it. */
const reported = Effect.gen(function* () {
  const inventory = yield* Inventory.Inventory
  const subscriptions = yield* Subscriptions.Subscriptions
  yield* (yield* Spares.Spares).refillDue
  const { node } = yield* inventory.createNode({ description: null, geo: null, purpose: null, linkSpeed: null })
  const { token } = yield* inventory.createToken(node.id)
  const inbound = yield* (yield* Inbounds.Inbounds).create({
    nodeId: node.id,
    host: "203.0.113.1",
    port: 443,
    geo: null,
    purpose: null,
    settings: { protocol: "shadowsocks" }
  })
  const { subscription } = yield* subscriptions.create({
    ownerId: null,
    title: null,
    description: null,
    expiresAt: null,
    maxTraffic: null,
    maxSpeed: null,
    trafficResetPeriod: null,
    anchor: null,
    inboundIds: [inbound.id]
  })
  const entries = [{ credential: subscription.credential, inbound: inbound.ref, bytesUp: 7n, bytesDown: 0n }]
  const batch = { spool: crypto.randomUUID(), seq: 1, from: noon - 1000, to: noon, entries }
  const origin = { nodeId: node.id, tokenId: token.id }
  const { report } = yield* Enforcer.Enforcer
  yield* report(origin, { batch, sentAt: noon, lowest: 1, agentVersion: "test", planeVersion: null })
})

layer(services)("Jobs", (it) => {
  it.effect(
    "seal days, and drop reports, uses and sealed days when their time has come, and not before",
    () =>
      Effect.gen(function* () {
        const records = yield* RecordStore.RecordStore
        const audit = yield* AuditLog.AuditStore
        const { seals, verify } = yield* AuditTrail.AuditTrail
        yield* TestClock.setTime(noon)
        yield* reported
        const kept = Effect.gen(function* () {
          const reports = yield* records.trafficReports({}, page)
          const uses = yield* records.accessLog({}, page)
          const changes = yield* audit.list({ action: "subscription.create" }, page)
          const [seal] = yield* seals({}, page)
          return [reports.length, uses.length, changes.length, seal?.recordCount, seal?.detachedAt !== null]
        })
        yield* Layer.build(jobs)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* kept, [1, 1, 1, undefined, true])
        yield* TestClock.adjust("1 day")
        assert.deepStrictEqual(yield* kept, [1, 1, 1, 5, false])
        yield* TestClock.adjust("3 days")
        assert.deepStrictEqual(yield* kept, [0, 1, 1, 5, false])
        yield* TestClock.adjust("3 days")
        assert.deepStrictEqual(yield* kept, [0, 0, 1, 5, false])
        yield* TestClock.adjust("3 days")
        assert.deepStrictEqual((yield* kept).slice(0, 3), [0, 0, 0])
        const [gone] = yield* audit.list({ action: "audit.detach" }, page)
        assert.deepInclude(gone?.meta, { days: 1, records: 5 })
        const start = noon - 12 * hour
        const checked = yield* verify(start, start + 20 * day)
        assert.isTrue(checked.isIntact)
        assert.deepStrictEqual(checked.days[0]?.state, "detached")
      }).pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.scoped),
    60_000
  )
})
