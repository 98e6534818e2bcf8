import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { credential, directory, FakePlane, FakeServer, state, sum } from "./Fakes.ts"
import { slow, start, stop } from "./Running.ts"

describe("Agent, when something goes wrong", () => {
  it.effect("loses no byte of a restart that the plane plans", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("4 seconds")
      plane.pass(1, 10)
      plane.bytesBeforePlannedRestart = 33
      server.states.push(state(2, { credentials: [credential(1)] }))
      yield* TestClock.adjust("1 minute")
      plane.pass(1, 5)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(sum(plane.truth), 48n)
      assert.deepStrictEqual(server.counted, plane.truth)
      yield* stop(agent)
    })
  )

  it.effect("counts nothing twice when its spool was deleted while the plane ran on", () =>
    Effect.gen(function* () {
      const [plane, server, at, planeDirectory] = [
        new FakePlane(),
        new FakeServer(),
        yield* directory,
        yield* directory
      ]
      server.states.push(state(1))
      const first = yield* start(plane, server, at, { planeDirectory })
      yield* TestClock.adjust("4 seconds")
      plane.pass(1, 1000)
      yield* TestClock.adjust("20 seconds")
      yield* stop(first)
      server.states.push(state(1))
      const second = yield* start(plane, server, yield* directory, { planeDirectory })
      yield* TestClock.adjust("4 seconds")
      plane.pass(1, 7)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(server.counted.get(1), 1007n)
      yield* stop(second)
    })
  )

  it.effect("counts bytes before a grain's edge in a batch that ends at the edge", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1, { grain: 15_000 }))
      const agent = yield* start(plane, server, at, { reportEvery: 60_000 })
      yield* TestClock.adjust("14500 millis")
      plane.pass(1, 10)
      yield* TestClock.adjust("1 second")
      plane.pass(1, 5)
      yield* TestClock.adjust("2 minutes")
      const entries = server.received.filter(({ batch }) => batch.entries.length > 0).map(({ batch }) => batch)
      assert.deepStrictEqual(
        entries.map(({ to, entries: [only] }) => [to, only?.bytesUp]),
        [
          [15_000, 10n],
          [17_000, 5n]
        ]
      )
      yield* stop(agent)
    })
  )

  it.effect("loses no byte in an outage of hours, makes a batch per grain, and drains at once", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at, slow)
      yield* TestClock.adjust("1 minute")
      server.isUp = false
      for (let minute = 0; minute < 10 * 60; minute += 10) {
        plane.pass(1, 1000 + minute, 3)
        yield* TestClock.adjust("10 minutes")
      }
      const before = server.taken.size
      server.isUp = true
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      assert.isTrue(server.taken.size - before <= 14)
      yield* stop(agent)
    })
  )

  it.effect("sets a batch aside that conflicts, and goes on with those that follow", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      server.conflicts.add(2)
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("12 seconds")
      plane.pass(1, 10)
      yield* TestClock.adjust("10 seconds")
      plane.pass(1, 5)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(sum(server.counted), 5n)
      assert.strictEqual(server.received.filter(({ batch }) => batch.seq === 2).length, 1)
      yield* stop(agent)
    })
  )

  it.effect("keeps what a refused key cannot send, and sends it once the key is taken", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at)
      server.refusal = 401
      plane.pass(1, 10)
      yield* TestClock.adjust("10 minutes")
      assert.isTrue(server.received.length < 20)
      server.refusal = null
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      yield* stop(agent)
    })
  )

  it.effect("books and reports the last bytes when it is stopped, and leaves the plane alone", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at)
      yield* TestClock.adjust("3 seconds")
      plane.pass(1, 77)
      yield* stop(agent)
      assert.strictEqual(server.counted.get(1), 77n)
      assert.isTrue(plane.isOpen(1))
    })
  )
})
