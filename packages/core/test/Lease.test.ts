/** Whose work runs while holders stop, freeze, or cannot reach the store. */
import { assert, describe, it } from "@effect/vitest"
import { Lease, LeaseStore, MemoryStores, Transaction } from "@vpnmgr/core"
import { Effect, Fiber, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"

const away = new Transaction.StoreError({ reason: new Transaction.StoreUnavailable({ detail: "away" }) })

/** Work that says whose it is while it runs. */
const working = (running: Array<string>, name: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() => running.push(name)),
    () => Effect.never,
    () => Effect.sync(() => running.splice(running.indexOf(name), 1))
  )

const on = (store: LeaseStore.LeaseStore["Service"]) => Effect.provideService(LeaseStore.LeaseStore, store)

const services = Layer.mergeAll(MemoryStores.layer, SecureRandom.layerWebCrypto)

describe("Lease", () => {
  it.effect("runs the work of one, and of the next when that one stops, within a second", () =>
    Effect.gen(function* () {
      const running: Array<string> = []
      const one = yield* Effect.forkChild(Lease.whileHeld("jobs", working(running, "one")))
      yield* TestClock.adjust(0)
      yield* Effect.forkChild(Lease.whileHeld("jobs", working(running, "two")))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(running, ["one"])
      yield* Fiber.interrupt(one)
      assert.deepStrictEqual(running, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(running, ["two"])
    }).pipe(Effect.provide(services))
  )

  for (const [way, asked] of [
    ["refuses", Effect.fail(away)],
    ["never answers", Effect.never]
  ] as const)
    it.effect(`stops the work of a holder whose store ${way} before another's begins`, () =>
      Effect.gen(function* () {
        const store = yield* LeaseStore.LeaseStore
        const running: Array<string> = []
        let isCut = false
        const cut = LeaseStore.LeaseStore.of({
          take: (...lease) => Effect.suspend(() => (isCut ? asked : store.take(...lease))),
          release: () => Effect.void
        })
        yield* Effect.forkChild(Lease.whileHeld("jobs", working(running, "one")).pipe(on(cut)))
        yield* TestClock.adjust(0)
        yield* Effect.forkChild(Lease.whileHeld("jobs", working(running, "two")))
        yield* TestClock.adjust("3 seconds")
        isCut = true
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(running, ["one"])
        yield* TestClock.adjust("1 second")
        assert.isAtMost(running.length, 1)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(running, ["two"])
      }).pipe(Effect.provide(services))
    )

  it.effect("holds on through a failure that passes in time", () =>
    Effect.gen(function* () {
      const store = yield* LeaseStore.LeaseStore
      const running: Array<string> = []
      let begun = 0
      let isAway = false
      const shaky = LeaseStore.LeaseStore.of({
        ...store,
        take: (...asked) => Effect.suspend(() => (isAway ? Effect.fail(away) : store.take(...asked)))
      })
      const work = Effect.andThen(
        Effect.sync(() => begun++),
        working(running, "one")
      )
      yield* Effect.forkChild(Lease.whileHeld("jobs", work).pipe(on(shaky)))
      yield* TestClock.adjust("3 seconds")
      isAway = true
      yield* TestClock.adjust("3 seconds")
      isAway = false
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(running, ["one"])
      assert.strictEqual(begun, 1)
    }).pipe(Effect.provide(services))
  )

  it.effect("begins anew when somebody else had the lease meanwhile", () =>
    Effect.gen(function* () {
      let term = 1
      let begun = 0
      const store = LeaseStore.LeaseStore.of({ take: () => Effect.sync(() => term), release: () => Effect.void })
      const work = Effect.sync(() => begun++)
      yield* Effect.forkChild(Lease.whileHeld("jobs", work).pipe(on(store)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(begun, 1)
      term = 3
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(begun, 2)
    }).pipe(Effect.provide(services))
  )
})
