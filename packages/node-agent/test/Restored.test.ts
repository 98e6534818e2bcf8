/** A spool that went back in time: brought back from a copy, or copied to another machine. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { directory, FakePlane, FakeServer, state, sum } from "./Fakes.ts"
import { start, stop } from "./Running.ts"

const copy = (from: string, to: string) =>
  Effect.sync(() => {
    fs.rmSync(to, { recursive: true, force: true })
    fs.cpSync(from, to, { recursive: true })
  })

const marker = (at: string) => fs.readFileSync(path.join(at, "spool-id"), "utf8").trim()

const spoolsOf = (server: FakeServer) => new Set([...server.taken.keys()].map((name) => name.split("/")[0]))

/** An agent that reported, and then held a sealed and an open batch when a copy was made; the copy's place. */
const copied = Effect.fnUntraced(function* (plane: FakePlane, server: FakeServer, at: string) {
  const before = yield* directory
  server.states.push(state(1))
  const agent = yield* start(plane, server, at)
  yield* TestClock.adjust("4 seconds")
  plane.pass(1, 1000)
  yield* TestClock.adjust("20 seconds")
  assert.strictEqual(server.counted.get(1), 1000n)
  server.isUp = false
  plane.pass(1, 50)
  yield* TestClock.adjust("30 seconds")
  plane.pass(1, 7)
  yield* TestClock.adjust("4 seconds")
  yield* copy(at, before)
  return { agent, before }
})

/** What the copy does not know: what it held is reported, and much more. */
const goOn = Effect.fnUntraced(function* (plane: FakePlane, server: FakeServer) {
  server.isUp = true
  for (let n = 0; n < 5; n++) {
    plane.pass(1, 10_000)
    yield* TestClock.adjust("30 seconds")
  }
  assert.deepStrictEqual(server.counted, plane.truth)
})

describe("A spool brought back from a copy", () => {
  it.effect("counts what passes afterwards under a new id, and what it held before not again", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const { agent, before } = yield* copied(plane, server, at)
      yield* goOn(plane, server)
      yield* stop(agent)
      const old = marker(at)

      yield* copy(before, at)
      plane.restart()
      plane.isRunning = false
      const restored = yield* start(plane, server, at)
      plane.pass(1, 30)
      yield* TestClock.adjust("3 seconds")
      plane.pass(1, 4)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      assert.isAbove(server.rewound.length, 2)
      assert.strictEqual(spoolsOf(server).size, 2)
      assert.notStrictEqual(marker(at), old)
      yield* stop(restored)

      const again = yield* start(plane, server, at)
      plane.pass(1, 5)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      assert.strictEqual(spoolsOf(server).size, 2)
      yield* stop(again)
    })
  )

  it.effect("counts what passes afterwards through restarts before the server is reached", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const { agent, before } = yield* copied(plane, server, at)
      yield* goOn(plane, server)
      yield* stop(agent)
      yield* copy(before, at)
      plane.restart()
      plane.isRunning = false
      server.isUp = false
      for (const bytes of [30, 4, 3]) {
        const restored = yield* start(plane, server, at)
        plane.pass(1, bytes)
        yield* TestClock.adjust("10 seconds")
        yield* stop(restored)
      }
      server.isUp = true
      const last = yield* start(plane, server, at)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      yield* stop(last)
    })
  )

  it.effect("counts nothing twice when the plane ran on meanwhile", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const { agent, before } = yield* copied(plane, server, at)
      yield* goOn(plane, server)
      yield* stop(agent)
      yield* copy(before, at)
      plane.pass(1, 3)
      const restored = yield* start(plane, server, at)
      yield* TestClock.adjust("10 seconds")
      plane.pass(1, 600)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(sum(server.counted), sum(plane.truth) - 3n)
      yield* stop(restored)
    })
  )

  it.effect("is no matter when nothing was reported since the copy was made", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      const { agent, before } = yield* copied(plane, server, at)
      yield* stop(agent)
      yield* copy(before, at)
      server.isUp = true
      const restored = yield* start(plane, server, at)
      plane.pass(1, 30)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      assert.deepStrictEqual(server.rewound, [])
      assert.strictEqual(spoolsOf(server).size, 1)
      yield* stop(restored)
    })
  )

  it.effect("does not spin when the server refuses the new id as well", () =>
    Effect.gen(function* () {
      const [plane, server, at] = [new FakePlane(), new FakeServer(), yield* directory]
      server.states.push(state(1))
      const first = yield* start(plane, server, at)
      yield* TestClock.adjust("20 seconds")
      server.isConfused = true
      plane.pass(1, 10)
      yield* TestClock.adjust("10 minutes")
      assert.isBelow(server.rewound.length, 25)
      assert.strictEqual(new Set(server.rewound.map((name) => name.split("/")[0])).size, 2)
      server.isConfused = false
      yield* TestClock.adjust("3 minutes")
      assert.deepStrictEqual(server.counted, plane.truth)
      yield* stop(first)
    })
  )
})

describe("A spool copied to another machine", () => {
  it.effect("counts both machines from their first batch", () =>
    Effect.gen(function* () {
      const [one, two, server, at] = [new FakePlane(), new FakePlane(), new FakeServer(), yield* directory]
      const image = yield* directory
      server.states.push(state(1))
      const first = yield* start(one, server, at)
      yield* TestClock.adjust("20 seconds")
      yield* stop(first)
      yield* copy(at, image)
      server.states.push(state(1), state(1))
      const agents = [yield* start(one, server, at), yield* start(two, server, image)]
      for (let n = 0; n < 6; n++) {
        one.pass(1, 100)
        two.pass(1, 10_000)
        yield* TestClock.adjust("15 seconds")
      }
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(sum(server.counted), sum(one.truth) + sum(two.truth))
      assert.isAbove(spoolsOf(server).size, 1)
      for (const agent of agents) yield* stop(agent)
    })
  )
})
