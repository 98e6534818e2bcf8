/**
 * What every data plane promises, whatever carries its packets: who is not open is refused and cut, `apply` may be
 * repeated, reading changes nothing, and an epoch names one run of the counters.
 */
import { assert, describe, it } from "@effect/vitest"
import { DataPlane, type Serving } from "@vpnmgr/core"
import { Effect, type Layer, type Scope } from "effect"

/** A transfer that lasts until somebody ends it. */
export interface Transfer {
  /** True while bytes arrive. */
  readonly isRunning: Effect.Effect<boolean>
}

/** One plane and the people who use it. Credentials and inbounds are those of `serving`. */
export interface Harness {
  /** The driver under test; built again it is the next agent on the same plane. */
  readonly plane: Layer.Layer<DataPlane.DataPlane, unknown>
  /** A state with inbounds 1 and 2; each credential is given the inbounds it may pass. */
  readonly serving: (open: Readonly<Record<number, ReadonlyArray<number>>>) => Serving.Serving
  /** Asks for bytes through the plane and answers how many arrived: none when refused. */
  readonly download: (credential: number, inbound: number, bytes: number) => Effect.Effect<number, unknown>
  /** Starts a transfer and returns once bytes arrive. */
  readonly begin: (credential: number, inbound: number) => Effect.Effect<Transfer, unknown>
  /** Ends the plane's program as `kill -9` would. */
  readonly crash: Effect.Effect<void, unknown>
}

export interface Suite {
  readonly name: string
  /** What the driver says it can do; a test that asks for more is skipped. */
  readonly capabilities: DataPlane.Capabilities
  /** Makes a plane of its own for one test; its scope ends with the test. */
  readonly make: Effect.Effect<Harness, unknown, Scope.Scope>
  /** How long one test may take, ms. Default 30,000. */
  readonly timeout?: number
}

const bytes = 100_000

const ignore: DataPlane.ApplyOptions = { book: () => Effect.void }

const downOf = ({ counters }: DataPlane.Counters, credential: number, inbound: number): bigint =>
  counters.find((counter) => counter.credential === credential && counter.inbound === inbound)?.down ?? 0n

/** A plane may count a moment after the client has the bytes. */
const readUntil = Effect.fnUntraced(function* (
  plane: DataPlane.DataPlane["Service"],
  credential: number,
  inbound: number,
  down: number
) {
  let counters = yield* plane.read
  for (let tries = 0; downOf(counters, credential, inbound) < BigInt(down) && tries < 50; tries++) {
    yield* Effect.sleep("20 millis")
    counters = yield* plane.read
  }
  return counters
})

const sorted = ({ counters, epoch }: DataPlane.Counters) => ({
  epoch,
  counters: counters.map((counter) => Object.entries(counter).sort().join()).sort()
})

type Body = (harness: Harness) => Effect.Effect<void, unknown, DataPlane.DataPlane>

/** Adds the suite to the file that calls it. */
export const suite = ({ capabilities, make, name, timeout = 30_000 }: Suite): void => {
  describe(`DataPlane (${name})`, () => {
    const test = (title: string, body: Body, needs: ReadonlyArray<keyof DataPlane.Capabilities> = []) =>
      it.live.skipIf(needs.some((need) => !capabilities[need]))(
        title,
        () => Effect.flatMap(make, (harness) => Effect.provide(body(harness), harness.plane)).pipe(Effect.scoped),
        timeout
      )

    test("says what it can do", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* DataPlane.DataPlane).capabilities, capabilities)
      }))

    test("is unreachable before its first state", () =>
      Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        assert.strictEqual((yield* Effect.flip(plane.read)).reason._tag, "PlaneUnreachable")
      }))

    test("lets pass who is open, where they are open, and nobody else", ({ download, serving }) =>
      Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        yield* plane.apply(serving({ 1: [1], 2: [] }), ignore)
        assert.strictEqual(yield* download(1, 1, bytes), bytes)
        assert.strictEqual(yield* download(1, 2, bytes), 0)
        assert.strictEqual(yield* download(2, 1, bytes), 0)
      }))

    test(
      "counts what passed, by credential and inbound, and nothing that was refused",
      ({ download, serving }) =>
        Effect.gen(function* () {
          const plane = yield* DataPlane.DataPlane
          yield* plane.apply(serving({ 1: [1, 2], 2: [2], 3: [] }), ignore)
          yield* Effect.all([
            download(1, 1, bytes),
            download(1, 2, 2 * bytes),
            download(2, 2, 3 * bytes),
            download(3, 1, bytes)
          ])
          yield* readUntil(plane, 1, 1, bytes)
          yield* readUntil(plane, 1, 2, 2 * bytes)
          const counters = yield* readUntil(plane, 2, 2, 3 * bytes)
          assert.strictEqual(downOf(counters, 1, 1), BigInt(bytes))
          assert.strictEqual(downOf(counters, 1, 2), BigInt(2 * bytes))
          assert.strictEqual(downOf(counters, 2, 2), BigInt(3 * bytes))
          assert.strictEqual(downOf(counters, 2, 1), 0n)
          assert.strictEqual(downOf(counters, 3, 1), 0n)
        }),
      ["perUserCounters"]
    )

    test("changes nothing by reading", ({ download, serving }) =>
      Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        yield* plane.apply(serving({ 1: [1] }), ignore)
        yield* download(1, 1, bytes)
        const first = yield* readUntil(plane, 1, 1, bytes)
        assert.deepStrictEqual(sorted(yield* plane.read), sorted(first))
        assert.strictEqual(downOf(first, 1, 1), BigInt(bytes))
      }))

    test("may be told the same state again: nothing starts, nothing ends", ({ begin, serving }) =>
      Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        const state = serving({ 1: [1], 2: [] })
        yield* plane.apply(state, ignore)
        const { epoch } = yield* plane.read
        const transfer = yield* begin(1, 1)
        for (const _ of [1, 2]) assert.isFalse((yield* plane.apply(state, ignore)).restarted)
        assert.isTrue(yield* transfer.isRunning)
        assert.strictEqual((yield* plane.read).epoch, epoch)
      }))

    test(
      "lets a spare in, and cuts who is absent or not open, while others go on",
      ({ begin, download, serving }) =>
        Effect.gen(function* () {
          const plane = yield* DataPlane.DataPlane
          yield* plane.apply(serving({ 1: [1], 2: [1], 3: [1], 4: [] }), ignore)
          const [one, two, three] = yield* Effect.all([begin(1, 1), begin(2, 1), begin(3, 1)])
          assert.strictEqual(yield* download(4, 1, bytes), 0)
          const applied = yield* plane.apply(serving({ 1: [1], 2: [2], 4: [1] }), ignore)
          assert.isFalse(applied.restarted)
          assert.isFalse(yield* two.isRunning)
          assert.isFalse(yield* three.isRunning)
          assert.isTrue(yield* one.isRunning)
          assert.strictEqual(yield* download(4, 1, bytes), bytes)
          assert.strictEqual(yield* download(2, 1, bytes), 0)
          assert.strictEqual(yield* download(2, 2, bytes), bytes)
          assert.strictEqual(yield* download(3, 1, bytes), 0)
        }),
      ["cutsOpenConnections", "liveChanges"]
    )

    test("counts from zero in another epoch after a crash, and lets in only whom the newest state does", (harness) =>
      Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        yield* plane.apply(harness.serving({ 1: [1], 2: [1] }), ignore)
        yield* harness.download(1, 1, bytes)
        const before = yield* plane.read
        yield* harness.crash
        assert.strictEqual((yield* Effect.flip(plane.read)).reason._tag, "PlaneUnreachable")
        const applied = yield* plane.apply(harness.serving({ 1: [], 2: [1] }), ignore)
        assert.isTrue(applied.restarted)
        const after = yield* plane.read
        assert.notStrictEqual(after.epoch, before.epoch)
        assert.strictEqual(downOf(after, 1, 1), 0n)
        assert.strictEqual(yield* harness.download(1, 1, bytes), 0)
        assert.strictEqual(yield* harness.download(2, 1, bytes), bytes)
      }))

    test("books the last counters of a run it ends, once nothing flows", ({ download, serving }) =>
      Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        yield* plane.apply(serving({ 1: [1] }), ignore)
        yield* download(1, 1, bytes)
        const before = yield* readUntil(plane, 1, 1, bytes)
        const booked: Array<DataPlane.Counters> = []
        const book = (last: DataPlane.Counters) => Effect.sync(() => void booked.push(last))
        const applied = yield* plane.apply(serving({ 1: [1], 2: [1] }), { book })
        assert.isTrue(applied.restarted)
        assert.deepStrictEqual(booked.map(sorted), [sorted(before)])
        assert.notStrictEqual((yield* plane.read).epoch, before.epoch)
        assert.strictEqual(yield* download(2, 1, bytes), bytes)
      }))

    test("goes on with its run when the last counters could not be booked", ({ download, serving }) =>
      Effect.gen(function* () {
        const plane = yield* DataPlane.DataPlane
        yield* plane.apply(serving({ 1: [1] }), ignore)
        yield* download(1, 1, bytes)
        const before = yield* readUntil(plane, 1, 1, bytes)
        const full = new DataPlane.DataPlaneError({ reason: new DataPlane.PlaneUnreachable({ detail: "disk full" }) })
        const failure = yield* Effect.flip(plane.apply(serving({ 1: [1], 2: [1] }), { book: () => Effect.fail(full) }))
        assert.deepInclude(failure.reason, { detail: "disk full" })
        assert.deepStrictEqual(sorted(yield* plane.read), sorted(before))
        assert.strictEqual(yield* download(1, 1, bytes), bytes)
        assert.strictEqual(yield* download(2, 1, bytes), 0)
      }))
  })
}

/** Adds the promise to the next agent: it finds the plane as it is. For planes whose program outlives the agent. */
export const adoption = ({ make, name, timeout = 30_000 }: Suite): void => {
  describe(`DataPlane adoption (${name})`, () => {
    it.live(
      "goes on in the same epoch when the agent is another",
      () =>
        Effect.gen(function* () {
          const { begin, plane, serving } = yield* make
          const state = serving({ 1: [1], 2: [] })
          const [before, transfer] = yield* Effect.gen(function* () {
            const plane = yield* DataPlane.DataPlane
            yield* plane.apply(state, ignore)
            return [yield* plane.read, yield* begin(1, 1)] as const
          }).pipe(Effect.provide(plane))
          assert.isTrue(yield* transfer.isRunning)
          yield* Effect.gen(function* () {
            const plane = yield* DataPlane.DataPlane
            assert.strictEqual((yield* plane.read).epoch, before.epoch)
            assert.isFalse((yield* plane.apply(state, ignore)).restarted)
            assert.isTrue(yield* transfer.isRunning)
          }).pipe(Effect.provide(plane))
        }).pipe(Effect.scoped),
      timeout
    )
  })
}
