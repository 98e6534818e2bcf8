import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Agent from "../src/Agent.ts"
import * as Spool from "../src/Spool.ts"
import { credential, directory, FakePlane, FakeServer, grant, hour, lost, state } from "./Fakes.ts"
import { slow, start, stop } from "./Running.ts"

describe("Agent", () => {
  it.effect("follows a state, counts, reports and says what it serves", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(7))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("3 seconds")
      assert.isTrue(plane.isOpen(1))
      assert.strictEqual(server.applied.at(-1)?.revision, 7)
      assert.strictEqual(server.applied.at(-1)?.outcome, "applied")
      plane.pass(1, 100, 50)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(server.counted.get(1), 150n)
      assert.strictEqual(plane.applies.length, 1)
      assert.strictEqual(server.received.at(-1)?.planeVersion, "fake 1.0")
      yield* stop(agent)
    })
  )

  it.effect("counts once what was sent repeatedly because answers were lost", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at)
      server.loseAnswers = 4
      plane.pass(1, 1000)
      yield* TestClock.adjust("1 minute")
      plane.pass(2, 7)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(server.counted, plane.truth)
      assert.isTrue(server.received.length > server.taken.size)
      yield* stop(agent)
    })
  )

  it.effect("cuts who runs dry at the next reading and reports it at once, with no server", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1, { buckets: [grant(1, 1000), grant(2, null)] }))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("1 second")
      server.isUp = false
      plane.pass(1, 999)
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(plane.isOpen(1))
      plane.pass(1, 1)
      yield* TestClock.adjust("2 seconds")
      assert.isFalse(plane.isOpen(1))
      assert.isTrue(plane.isOpen(2))
      yield* TestClock.adjust("1 hour")
      assert.isFalse(plane.isOpen(1))
      server.isUp = true
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(server.counted, plane.truth)
      yield* stop(agent)
    })
  )

  it.effect("reports at once when half of what was left is gone", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1, { buckets: [grant(1, 1000), grant(2, null)] }))
      const agent = yield* start(plane, server, at, { reportEvery: 600_000 })
      yield* TestClock.adjust("4 seconds")
      plane.pass(1, 400)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(server.received.length, 0)
      plane.pass(1, 200)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(server.counted.get(1), 600n)
      yield* stop(agent)
    })
  )

  it.effect("ends access at its expiry and begins it at its start, with no server", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const credentials = [credential(1, { serveUntil: 61_500 }), credential(2, { serveFrom: 90_300 })]
      server.states.push(state(1, { credentials }))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust(61_499)
      server.isUp = false
      assert.isTrue(plane.isOpen(1))
      assert.isFalse(plane.isOpen(2))
      yield* TestClock.adjust(1)
      assert.isFalse(plane.isOpen(1))
      yield* TestClock.adjust(90_299 - 61_500)
      assert.isFalse(plane.isOpen(2))
      yield* TestClock.adjust(1)
      assert.isTrue(plane.isOpen(2))
      yield* stop(agent)
    })
  )

  it.effect("lets in again when a window turns, and cuts again in the new one, with no server", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const hourly = { windowStart: 0, windowEnd: hour, period: "PT1H" }
      server.states.push(state(1, { grain: 600_000, buckets: [grant(1, 1000, hourly), grant(2, null)] }))
      const first = yield* start(plane, server, at, slow)
      yield* TestClock.adjust("1 second")
      server.isUp = false
      plane.pass(1, 5000)
      yield* TestClock.adjust(hour - 2000)
      assert.isFalse(plane.isOpen(1))
      yield* TestClock.adjust(1001)
      assert.isTrue(plane.isOpen(1))
      plane.pass(1, 600)
      yield* TestClock.adjust("10 minutes")
      yield* stop(first)
      const second = yield* start(plane, server, at, slow)
      yield* TestClock.adjust("10 minutes")
      assert.isTrue(plane.isOpen(1))
      server.isUp = true
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      plane.pass(1, 400)
      yield* TestClock.adjust("1 minute")
      assert.isFalse(plane.isOpen(1))
      yield* TestClock.adjust(hour)
      assert.isTrue(plane.isOpen(1))
      yield* stop(second)
    })
  )

  it.effect("has the state on the disk before the plane moves", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const order: Array<string> = []
      const watched = Layer.effect(
        Spool.Spool,
        Effect.map(Spool.make({ directory: at }), (spool) =>
          Spool.Spool.of({
            ...spool,
            keep: (kept) =>
              spool.keep(kept).pipe(Effect.tap(() => Effect.sync(() => order.push(`kept ${kept.revision}`))))
          })
        )
      )
      plane.rejects = (serving) => {
        order.push(`applied ${serving.credentials.length}`)
        return false
      }
      server.states.push(state(1), state(2, { credentials: [credential(1)] }))
      const agent = yield* Agent.run.pipe(
        Effect.provide(Agent.layerOver({}).pipe(Layer.provide(Layer.mergeAll(plane.layer, server.layer, watched)))),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(order, ["kept 1", "applied 2", "kept 2", "applied 1"])
      yield* stop(agent)
    })
  )

  it.effect("serves the kept state after a restart with no server", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(3))
      const first = yield* start(plane, server, at)
      yield* TestClock.adjust("1 second")
      yield* stop(first)
      server.isUp = false
      const [fresh] = [new FakePlane()]
      const second = yield* start(fresh, server, at)
      yield* TestClock.adjust("1 second")
      assert.isTrue(fresh.isOpen(1))
      server.isUp = true
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(server.polls.at(-1), { generation: "g1", revision: 3 })
      assert.strictEqual(server.applied.at(-1)?.revision, 3)
      yield* stop(second)
    })
  )

  it.effect("lays a difference over what it has", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const difference = state(2, {
        since: 1,
        inbounds: [],
        credentials: [credential(3)],
        buckets: [grant(3, null)],
        removed: { inbounds: [], credentials: [1], buckets: [1] }
      })
      server.states.push(state(1), difference)
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([...plane.serving.keys()], [2, 3])
      assert.isTrue(plane.isOpen(3))
      yield* stop(agent)
    })
  )

  it.effect("asks for the whole when a difference is to a revision it does not have", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1), state(9, { since: 8, credentials: [] }), state(9, { credentials: [credential(1)] }))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("1 second")
      assert.isTrue(server.polls.some(({ generation, revision }) => generation === "g1" && revision === 0))
      assert.deepStrictEqual([...plane.serving.keys()], [1])
      yield* stop(agent)
    })
  )

  it.effect("asks for a fresh grant when it counted a bucket dry and the server, who knows it all, did not", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1, { buckets: [grant(1, 1000), grant(2, null)] }))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("1 second")
      plane.pass(1, 1000)
      yield* TestClock.adjust("4 seconds")
      assert.isFalse(plane.isOpen(1))
      assert.isFalse(server.polls.some(({ generation, revision }) => generation === "g1" && revision === 0))
      yield* TestClock.adjust("1 minute")
      assert.isTrue(server.polls.some(({ generation, revision }) => generation === "g1" && revision === 0))
      const { seq, spool } = server.received.at(-1)!.batch
      server.states.push(state(1, { buckets: [{ ...grant(1, 600), asOf: { spool, seq } }, grant(2, null)] }))
      yield* TestClock.adjust("1 minute")
      assert.isTrue(plane.isOpen(1))
      yield* stop(agent)
    })
  )

  it.effect("refuses a state of another major protocol and goes on with the last", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1), state(2, { protocol: "2.0", credentials: [] }))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(plane.isOpen(1))
      yield* stop(agent)
    })
  )

  it.effect("cuts who must be cut although the plane rejects the new state", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("1 second")
      plane.rejects = (serving) => serving.credentials.some(({ ref }) => ref === 9)
      server.states.push(
        state(2, { credentials: [credential(1, { open: [] }), credential(2), credential(9, { buckets: [] })] })
      )
      yield* TestClock.adjust("1 minute")
      assert.isFalse(plane.isOpen(1))
      assert.isTrue(plane.isOpen(2))
      assert.strictEqual(server.applied.at(-1)?.outcome, "rejected")
      plane.rejects = () => false
      yield* TestClock.adjust("2 minutes")
      assert.isTrue(plane.isOpen(9))
      assert.strictEqual(server.applied.at(-1)?.outcome, "applied")
      yield* stop(agent)
    })
  )

  it.effect("applies again when the plane was lost, or began another run by itself", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("4 seconds")
      plane.failure = lost
      yield* TestClock.adjust("4 seconds")
      plane.failure = null
      plane.isRunning = false
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(plane.applies.length, 2)
      plane.pass(1, 10)
      yield* TestClock.adjust("4 seconds")
      plane.restart()
      plane.pass(1, 5)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(plane.applies.length, 3)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(plane.applies.length, 3)
      assert.deepStrictEqual(server.counted, plane.truth)
      yield* stop(agent)
    })
  )
})
