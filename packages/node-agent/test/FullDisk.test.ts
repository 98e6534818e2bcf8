/** A node whose disk is full: nothing can be kept, and whoever must be cut is cut all the same. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Agent from "../src/Agent.ts"
import * as Spool from "../src/Spool.ts"
import { credential, directory, FakePlane, FakeServer, grant, hour, state } from "./Fakes.ts"
import { stop } from "./Running.ts"

/** A spool that takes nothing while the disk is full. */
const onDisk = (at: string, disk: { isFull: boolean }) =>
  Layer.effect(
    Spool.Spool,
    Effect.map(Spool.make({ directory: at }), (spool) => {
      const full = new Spool.SpoolError({ reason: new Spool.SpoolUnusable({ detail: "database or disk is full" }) })
      const whileRoom = <A>(write: Effect.Effect<A, Spool.SpoolError>) =>
        Effect.suspend(() => (disk.isFull ? Effect.fail(full) : write))
      return Spool.Spool.of({
        ...spool,
        book: (reading, how) => whileRoom(spool.book(reading, how)),
        seal: (now) => whileRoom(spool.seal(now)),
        acknowledge: (seq) => whileRoom(spool.acknowledge(seq)),
        keep: (kept) => whileRoom(spool.keep(kept)),
        accept: whileRoom(spool.accept)
      })
    })
  )

const start = (plane: FakePlane, server: FakeServer, at: string, disk: { isFull: boolean }) =>
  Agent.run.pipe(
    Effect.provide(
      Agent.layerOver({}).pipe(Layer.provide(Layer.mergeAll(plane.layer, server.layer, onDisk(at, disk))))
    ),
    Effect.forkChild({ startImmediately: true })
  )

describe("Agent, on a full disk", () => {
  it.effect("cuts whom a state cuts that it cannot keep, lets in nobody by it, and follows it once there is room", () =>
    Effect.gen(function* () {
      const [plane, server, at, disk] = [new FakePlane(), new FakeServer(), yield* directory, { isFull: false }]
      const blocked = credential(2, { open: [] })
      server.states.push(state(1, { credentials: [credential(1), blocked, credential(3, { buckets: [1] })] }))
      const agent = yield* start(plane, server, at, disk)
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(
        [1, 2, 3].map((ref) => plane.isOpen(ref)),
        [true, false, true]
      )
      disk.isFull = true
      const next = state(2, { credentials: [credential(1, { open: [] }), credential(2)] })
      server.states.push(next)
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(
        [1, 2, 3].map((ref) => plane.isOpen(ref)),
        [false, false, false]
      )
      assert.deepStrictEqual([server.applied.at(-1)?.revision, server.applied.at(-1)?.outcome], [2, "failed"])
      yield* TestClock.adjust("1 minute")
      assert.isFalse(plane.isOpen(1))
      disk.isFull = false
      server.states.push(next)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        [1, 2, 3].map((ref) => plane.isOpen(ref)),
        [false, true, false]
      )
      assert.strictEqual(server.applied.at(-1)?.outcome, "applied")
      yield* stop(agent)
    })
  )

  it.effect("cuts by a clock that the state tells which it cannot keep", () =>
    Effect.gen(function* () {
      const [plane, server, at, disk] = [new FakePlane(), new FakeServer(), yield* directory, { isFull: false }]
      server.states.push(state(1))
      const agent = yield* start(plane, server, at, disk)
      yield* TestClock.adjust("3 seconds")
      disk.isFull = true
      server.states.push(state(2, { credentials: [credential(1, { serveUntil: 60_000 }), credential(2)] }))
      yield* TestClock.adjust(56_999)
      assert.isTrue(plane.isOpen(1))
      yield* TestClock.adjust(1)
      assert.isFalse(plane.isOpen(1))
      assert.isTrue(plane.isOpen(2))
      yield* stop(agent)
    })
  )

  it.effect("cuts who runs dry by readings that cannot be booked, and counts them once when they can", () =>
    Effect.gen(function* () {
      const [plane, server, at, disk] = [new FakePlane(), new FakeServer(), yield* directory, { isFull: false }]
      server.states.push(state(1, { buckets: [grant(1, 1000, { windowEnd: hour }), grant(2, null)] }))
      const agent = yield* start(plane, server, at, disk)
      yield* TestClock.adjust("3 seconds")
      plane.pass(1, 600)
      yield* TestClock.adjust("15 seconds")
      disk.isFull = true
      plane.pass(1, 399)
      yield* TestClock.adjust("4 seconds")
      assert.isTrue(plane.isOpen(1))
      plane.pass(1, 1)
      yield* TestClock.adjust("2 seconds")
      assert.isFalse(plane.isOpen(1))
      assert.isTrue(plane.isOpen(2))
      disk.isFull = false
      yield* TestClock.adjust("1 minute")
      assert.isFalse(plane.isOpen(1))
      assert.deepStrictEqual(server.counted, plane.truth)
      yield* stop(agent)
    })
  )

  it.effect("opens a spool that is there without writing to it", () =>
    Effect.gen(function* () {
      const at = yield* directory
      const file = path.join(at, "spool.sqlite")
      yield* Effect.scoped(Spool.make({ directory: at }))
      const before = fs.readFileSync(file)
      yield* Effect.scoped(Spool.make({ directory: at }))
      assert.isTrue(before.equals(fs.readFileSync(file)))
      yield* Effect.scoped(Effect.flatMap(Spool.make({ directory: at }), (spool) => spool.keep(state(1))))
      assert.isFalse(before.equals(fs.readFileSync(file)))
    })
  )
})
