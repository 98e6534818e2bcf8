/** What `Transaction` promises: all or nothing, seen whole or not at all. */
import { assert } from "@effect/vitest"
import { SettingStore, Transaction } from "@vpnmgr/core"
import { Deferred, Effect, Exit, Fiber } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { anId } from "./World.ts"

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`Transaction (${name})`, stores, (it) => {
    it.effect("keeps everything that was written when it succeeds", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const settings = yield* SettingStore.SettingStore
        const [one, two] = [anId(), anId()]
        const answer = yield* transaction.run(
          Effect.andThen(settings.set(one, "1"), Effect.as(settings.set(two, "2"), "done"))
        )
        assert.strictEqual(answer, "done")
        assert.deepStrictEqual([yield* settings.get(one), yield* settings.get(two)], ["1", "2"])
      })
    )

    it.effect("sees its own writes", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const settings = yield* SettingStore.SettingStore
        const key = anId()
        const seen = yield* transaction.run(Effect.andThen(settings.set(key, "mine"), settings.get(key)))
        assert.strictEqual(seen, "mine")
      })
    )

    for (const [how, end] of [
      ["fails", Effect.fail("no")],
      ["dies", Effect.die("bug")],
      ["is interrupted", Effect.interrupt]
    ] as const) {
      it.effect(`leaves nothing behind when it ${how}`, () =>
        Effect.gen(function* () {
          const transaction = yield* Transaction.Transaction
          const settings = yield* SettingStore.SettingStore
          const key = anId()
          const fiber = yield* Effect.forkChild(transaction.run(Effect.andThen(settings.set(key, "gone"), end)))
          assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
          assert.strictEqual(yield* settings.get(key), null)
        })
      )
    }

    it.effect("answers the failure of what runs inside", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        assert.strictEqual(yield* Effect.flip(transaction.run(Effect.fail("mine"))), "mine")
      })
    )

    it.effect("takes back what an inner transaction wrote when the outer one fails", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const settings = yield* SettingStore.SettingStore
        const [outer, inner] = [anId(), anId()]
        yield* transaction
          .run(
            Effect.gen(function* () {
              yield* settings.set(outer, "1")
              yield* transaction.run(settings.set(inner, "2"))
              assert.strictEqual(yield* settings.get(inner), "2")
              return yield* Effect.fail("no")
            })
          )
          .pipe(Effect.exit)
        assert.deepStrictEqual([yield* settings.get(outer), yield* settings.get(inner)], [null, null])
      })
    )

    it.effect("goes on with the next one after a failure", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const settings = yield* SettingStore.SettingStore
        const key = anId()
        yield* Effect.exit(transaction.run(Effect.fail("no")))
        yield* transaction.run(settings.set(key, "yes"))
        assert.strictEqual(yield* settings.get(key), "yes")
      })
    )

    it.effect("shows nobody else what is not committed", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const settings = yield* SettingStore.SettingStore
        const key = anId()
        const written = yield* Deferred.make<void>()
        const writer = yield* transaction
          .run(
            Effect.gen(function* () {
              yield* settings.set(key, "early")
              yield* Deferred.succeed(written, undefined)
              yield* Effect.sleep("50 millis")
              yield* settings.set(key, "late")
            })
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(written)
        const seen = yield* settings.get(key)
        yield* Fiber.join(writer)
        assert.include([null, "late"], seen)
        assert.strictEqual(yield* settings.get(key), "late")
      })
    )

    it.effect("loses none of many at once", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const settings = yield* SettingStore.SettingStore
        const keys = Array.from({ length: 20 }, anId)
        yield* Effect.forEach(keys, (key) => transaction.run(settings.set(key, key)), { concurrency: "unbounded" })
        for (const key of keys) assert.strictEqual(yield* settings.get(key), key)
      })
    )
  })
