/** PGlite's one connection, shared by many fibers. */
import { assert, describe, it } from "@effect/vitest"
import { SettingStore, Transaction } from "@vpnmgr/core"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { pgliteClient } from "./Databases.ts"

describe("PGlite", () => {
  it.live("keeps a plain statement out of another fiber's transaction", () =>
    Effect.gen(function* () {
      const settings = yield* SettingStore.SettingStore
      const transaction = yield* Transaction.Transaction
      const open = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const rolledBack = yield* Effect.forkChild(
        transaction.run(
          Effect.gen(function* () {
            yield* settings.set("inside", "x")
            yield* Deferred.succeed(open, undefined)
            yield* Deferred.await(goOn)
            return yield* Effect.fail("rolled back" as const)
          })
        )
      )
      yield* Deferred.await(open)
      const outside = yield* Effect.forkChild(settings.set("outside", "x"))
      const read = yield* Effect.forkChild(settings.get("inside"))
      yield* Effect.sleep(100)
      assert.isUndefined(outside.pollUnsafe(), "it waits for the transaction's end")
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.await(rolledBack)
      yield* Fiber.join(outside)
      assert.isNull(yield* Fiber.join(read), "it does not see what was rolled back")
      assert.strictEqual(yield* settings.get("outside"), "x", "it is not rolled back with the other")
      assert.isNull(yield* settings.get("inside"))
    }).pipe(Effect.provide(pgliteClient))
  )

  it.live("gives the connection back when a transaction is interrupted, or goes on after a statement failed", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const settings = yield* SettingStore.SettingStore
      const transaction = yield* Transaction.Transaction
      const fiber = yield* Effect.forkChild(transaction.run(Effect.andThen(settings.set("gone", "x"), Effect.never)))
      yield* Effect.sleep(100)
      yield* Fiber.interrupt(fiber)
      assert.isNull(yield* settings.get("gone"))
      const exit = yield* Effect.exit(
        transaction.run(Effect.andThen(Effect.ignore(sql`SELECT 1 / 0`), Effect.succeed("committed")))
      )
      assert.strictEqual(exit._tag, "Failure", "a transaction that was rolled back does not count as committed")
      assert.isNull(yield* settings.get("gone"))
    }).pipe(Effect.provide(pgliteClient))
  )
})
