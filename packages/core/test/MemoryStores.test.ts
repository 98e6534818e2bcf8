import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Stream } from "effect"
import * as MemoryStores from "../src/MemoryStores.ts"
import { NodeStateStore } from "../src/NodeStateStore.ts"
import { SettingStore } from "../src/SettingStore.ts"
import { Transaction } from "../src/Transaction.ts"

it.layer(MemoryStores.layer)("memory stores", (it) => {
  it.effect("show whoever reads outside a transaction what was last committed", () =>
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const settings = yield* SettingStore
      const written = yield* Deferred.make<void>()
      const released = yield* Deferred.make<void>()
      const fiber = yield* transaction
        .run(
          Effect.gen(function* () {
            yield* settings.set("key", "new")
            assert.strictEqual(yield* settings.get("key"), "new")
            yield* Deferred.succeed(written, undefined)
            yield* Deferred.await(released)
          })
        )
        .pipe(Effect.forkChild)
      yield* Deferred.await(written)
      assert.strictEqual(yield* settings.get("key"), null)
      yield* Deferred.succeed(released, undefined)
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* settings.get("key"), "new")
    })
  )

  it.effect("announce marks only after they were committed", () =>
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const nodeStates = yield* NodeStateStore
      const heard = yield* nodeStates.dirtied.pipe(
        Stream.take(1),
        Stream.runCount,
        Effect.forkChild({ startImmediately: true })
      )
      const failed = yield* Effect.exit(transaction.run(Effect.andThen(nodeStates.markSpares([]), Effect.fail("no"))))
      assert.isTrue(Exit.isFailure(failed))
      yield* Effect.yieldNow
      assert.isUndefined(heard.pollUnsafe())
      yield* transaction.run(nodeStates.markSpares([]))
      assert.strictEqual(yield* Fiber.join(heard), 1)
    })
  )
})
