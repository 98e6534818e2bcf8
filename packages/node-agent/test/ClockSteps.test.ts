/** A clock that is set while batches wait: their times are by the clock before, and so is what is said when they are sent. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Instant } from "@vpnmgr/core"
import * as Agent from "../src/Agent.ts"
import * as Spool from "../src/Spool.ts"
import { Uptime } from "../src/Uptime.ts"
import { directory, FakePlane, FakeServer, hour, state } from "./Fakes.ts"
import { stop } from "./Running.ts"

/** A machine whose clock has been set by so many milliseconds in all; what the test's clock says is what it shows. */
class Machine {
  set = 0
  readonly uptime = Effect.map(Instant.now, (now) => now - this.set)
}

const start = (plane: FakePlane, server: FakeServer, at: string, machine: Machine) =>
  Agent.run.pipe(
    Effect.provide(
      Agent.layer({ directory: at }).pipe(
        Layer.provide(Layer.mergeAll(plane.layer, server.layer)),
        Layer.provide(Layer.succeed(Uptime, machine.uptime))
      )
    ),
    Effect.forkChild({ startImmediately: true })
  )

describe("Agent, when its clock is set", () => {
  for (const set of [2 * hour, -2 * hour]) {
    it.effect(`says when it sends, by the clock that each batch was counted by, set by ${set / hour} hours`, () =>
      Effect.gen(function* () {
        const [plane, server, at, machine] = [new FakePlane(), new FakeServer(), yield* directory, new Machine()]
        yield* TestClock.adjust(100 * hour)
        server.states.push(state(1))
        const agent = yield* start(plane, server, at, machine)
        yield* TestClock.adjust("15 seconds")
        server.isUp = false
        plane.pass(1, 10)
        yield* TestClock.adjust("1 minute")
        machine.set += set
        plane.pass(1, 20)
        yield* TestClock.adjust("1 minute")
        ;[server.received, server.arrivals] = [[], []]
        server.isUp = true
        yield* TestClock.adjust("1 minute")
        const sent = server.received.flatMap(({ batch: { entries }, sentAt }, index) =>
          entries.map(({ bytesUp }) => [bytesUp, server.arrivals[index]! - sentAt])
        )
        assert.deepStrictEqual(sent, [
          [10n, set],
          [20n, 0]
        ])
        assert.deepStrictEqual(server.counted, plane.truth)
        yield* stop(agent)
      })
    )
  }

  it.effect("forgets what was set once no batch from before it waits", () =>
    Effect.gen(function* () {
      const machine = new Machine()
      const spool = yield* Spool.make({ directory: yield* directory }).pipe(
        Effect.provideService(Uptime, machine.uptime)
      )
      const book = (up: number) =>
        Effect.flatMap(Instant.now, (at) =>
          spool.book(
            { epoch: "a", at, counters: [{ credential: 1, inbound: 1, up: BigInt(up), down: 0n }] },
            { grain: hour }
          )
        )
      yield* TestClock.adjust(10 * hour)
      yield* book(1)
      machine.set = 5000
      yield* book(2)
      machine.set = 4500
      yield* book(3)
      machine.set = -60_000
      yield* book(4)
      yield* spool.seal(yield* Instant.now)
      const moves: Array<readonly [seq: number, moved: number]> = []
      for (let next = yield* spool.next; next !== null; next = yield* spool.next) {
        moves.push([next.batch.seq, yield* spool.moved(next.batch.seq)])
        yield* spool.acknowledge(next.batch.seq)
      }
      assert.deepStrictEqual(moves, [
        [1, 5000 - 64_500],
        [2, -64_500],
        [3, 0]
      ])
    })
  )
})
