import { assert, describe, it } from "@effect/vitest"
import { Credential, DataPlane, type Inbound } from "@vpnmgr/core"
import { Effect } from "effect"
import { DataPlaneSuite, ScriptedPlane } from "../src/index.ts"

const inbounds: ReadonlyArray<Inbound.NodeInbound> = [1, 2].map((ref) => ({
  ref,
  id: `00000000-0000-7000-8000-00000000000${ref}`,
  listen: "::",
  port: 20_000 + ref,
  isActive: true,
  trafficMultiplier: 1000,
  settings: { protocol: "shadowsocks", serverKey: "AAAAAAAAAAAAAAAAAAAAAA==" }
}))

const serving: DataPlaneSuite.Harness["serving"] = (open) => ({
  inbounds,
  credentials: Object.entries(open).map(([ref, open]) => ({
    ref: Number(ref),
    access: new Map(
      inbounds.map(({ id, ref: inbound }) => [
        inbound,
        Credential.derive(new Uint8Array(32).fill(Number(ref)), "shadowsocks", id)
      ])
    ),
    open: new Set(open)
  }))
})

const make = Effect.gen(function* () {
  const { connect, crash, layer } = yield* ScriptedPlane.make
  const harness: DataPlaneSuite.Harness = {
    plane: layer,
    serving,
    crash,
    download: Effect.fnUntraced(function* (credential, inbound, bytes) {
      const connection = yield* connect(credential, inbound)
      return (yield* connection.transfer(0n, BigInt(bytes))) ? bytes : 0
    }),
    begin: Effect.fnUntraced(function* (credential, inbound) {
      const connection = yield* connect(credential, inbound)
      return { isRunning: connection.transfer(0n, 1n) }
    })
  }
  return harness
})

const suite = { name: "scripted", capabilities: ScriptedPlane.capabilities, make }
DataPlaneSuite.suite(suite)
DataPlaneSuite.adoption(suite)

describe("ScriptedPlane", () => {
  it.effect("refuses once and goes on, and falls silent and goes on", () =>
    Effect.gen(function* () {
      const scripted = yield* ScriptedPlane.make
      yield* Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        const book = () => Effect.void
        yield* plane.apply(serving({ 1: [1] }), { book })
        const connection = yield* scripted.connect(1, 1)
        yield* scripted.refuseNext("port in use")
        const refused = yield* Effect.flip(plane.apply(serving({ 1: [1], 2: [1] }), { book }))
        assert.deepInclude(refused.reason, { _tag: "PlaneRejected", detail: "port in use" })
        yield* scripted.setSilent(true)
        assert.strictEqual((yield* Effect.flip(plane.read)).reason._tag, "PlaneUnreachable")
        assert.isTrue(yield* connection.transfer(1n, 1n))
        yield* scripted.setSilent(false)
        assert.strictEqual(yield* scripted.starts, 1)
        assert.strictEqual((yield* plane.read).counters.length, 1)
      }).pipe(Effect.provide(scripted.layer))
    })
  )
})
