/** What `IdempotencyStore` promises, and what core's `Idempotency.once` makes of it. */
import { assert } from "@effect/vitest"
import { Idempotency, IdempotencyStore, type Instant, SettingStore, Transaction } from "@vpnmgr/core"
import { Deferred, Effect, Fiber } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { anId, hour, noon } from "./World.ts"

const aScope = (): IdempotencyStore.Scope => ({ actorId: anId(), key: `key-${anId()}` })

const kept = { fingerprint: "f".repeat(64), answer: '{"status":201}' }

/** A claim in a transaction of its own. */
const claim = (scope: IdempotencyStore.Scope, since: Instant.Instant = 0) =>
  Effect.gen(function* () {
    const store = yield* IdempotencyStore.IdempotencyStore
    const transaction = yield* Transaction.Transaction
    return yield* transaction.run(store.claim(scope, since))
  })

/** Claims and keeps in one transaction. */
const keep = (scope: IdempotencyStore.Scope, at: Instant.Instant) =>
  Effect.gen(function* () {
    const store = yield* IdempotencyStore.IdempotencyStore
    const transaction = yield* Transaction.Transaction
    yield* transaction.run(Effect.andThen(store.claim(scope, at), store.keep(scope, kept, at)))
  })

/** Work that leaves one mark in the store each time it is done. */
const marking = (mark: string) =>
  Effect.gen(function* () {
    const settings = yield* SettingStore.SettingStore
    const before = Number((yield* settings.get(mark)) ?? "0")
    yield* settings.set(mark, String(before + 1))
    return { value: before + 1, answer: `answer ${before + 1}` }
  })

const marks = (mark: string) =>
  Effect.flatMap(SettingStore.SettingStore, (settings) =>
    Effect.map(settings.get(mark), (value) => Number(value ?? "0"))
  )

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`IdempotencyStore (${name})`, stores, (it) => {
    it.effect("gives a key to whoever comes first, and the answer to whoever comes later", () =>
      Effect.gen(function* () {
        const scope = aScope()
        assert.deepStrictEqual(yield* claim(scope), { _tag: "Mine" })
        yield* keep(scope, noon)
        assert.deepStrictEqual(yield* claim(scope), { _tag: "Answered", ...kept })
        assert.deepStrictEqual(yield* claim({ ...scope, actorId: anId() }), { _tag: "Mine" })
        assert.deepStrictEqual(yield* claim({ ...scope, key: `${scope.key}x` }), { _tag: "Mine" })
      })
    )

    it.effect("forgets what was kept before, when asked and by itself", () =>
      Effect.gen(function* () {
        const store = yield* IdempotencyStore.IdempotencyStore
        const [old, older, young] = [aScope(), aScope(), aScope()]
        yield* keep(older, noon - 2 * hour)
        yield* keep(old, noon - hour)
        yield* keep(young, noon + hour)
        assert.deepStrictEqual(yield* claim(old, noon), { _tag: "Mine" })
        assert.strictEqual((yield* claim(young, noon))._tag, "Answered")
        yield* keep(old, noon + hour)
        assert.strictEqual((yield* claim(old, noon))._tag, "Answered")
        while ((yield* store.forget(noon, 1)) > 0);
        assert.strictEqual((yield* claim(older))._tag, "Mine")
        assert.strictEqual((yield* claim(young))._tag, "Answered")
        yield* keep(aScope(), noon - hour)
        yield* keep(aScope(), noon - hour)
        assert.deepStrictEqual([yield* store.forget(noon, 1), yield* store.forget(noon, 9)], [1, 1])
      })
    )

    it.effect("keeps nothing of a transaction that fails", () =>
      Effect.gen(function* () {
        const store = yield* IdempotencyStore.IdempotencyStore
        const transaction = yield* Transaction.Transaction
        const scope = aScope()
        const failing = Effect.andThen(store.keep(scope, kept, noon), Effect.fail("no" as const))
        yield* Effect.flip(transaction.run(Effect.andThen(store.claim(scope, 0), failing)))
        assert.deepStrictEqual(yield* claim(scope), { _tag: "Mine" })
      })
    )

    it.effect("does work once, and repeats its answer", () =>
      Effect.gen(function* () {
        const [scope, mark] = [aScope(), anId()]
        const once = Idempotency.once(scope, "a", marking(mark))
        assert.deepStrictEqual(yield* once, { _tag: "Done", value: 1 })
        assert.deepStrictEqual(yield* once, { _tag: "Replayed", answer: "answer 1" })
        assert.deepStrictEqual(yield* Idempotency.once(scope, "b", marking(mark)), { _tag: "Reused" })
        assert.strictEqual(yield* marks(mark), 1)
      })
    )

    it.effect("rolls work back that leaves no answer, and lets it be tried again", () =>
      Effect.gen(function* () {
        const [scope, mark] = [aScope(), anId()]
        const refused = Effect.map(marking(mark), ({ value }) => ({ value, answer: null }))
        assert.deepStrictEqual(yield* Idempotency.once(scope, "a", refused), { _tag: "Done", value: 1 })
        assert.strictEqual(yield* marks(mark), 0)
        assert.deepStrictEqual(yield* Idempotency.once(scope, "b", marking(mark)), { _tag: "Done", value: 1 })
      })
    )

    it.effect("does work once for twenty who ask at once", () =>
      Effect.gen(function* () {
        const [scope, mark] = [aScope(), anId()]
        const outcomes = yield* Effect.replicateEffect(Idempotency.once(scope, "a", marking(mark)), 20, {
          concurrency: "unbounded"
        })
        assert.strictEqual(yield* marks(mark), 1)
        const done = outcomes.filter(({ _tag }) => _tag === "Done")
        assert.deepStrictEqual(done, [{ _tag: "Done", value: 1 }])
        for (const outcome of outcomes) assert.include(["Done", "Replayed", "InProgress"], outcome._tag)
        const later = yield* Idempotency.once(scope, "a", marking(mark))
        assert.deepStrictEqual(later, { _tag: "Replayed", answer: "answer 1" })
      })
    )

    it.effect("frees the key of work that was interrupted", () =>
      Effect.gen(function* () {
        const [scope, mark] = [aScope(), anId()]
        const begun = yield* Deferred.make<void>()
        const hanging = Effect.andThen(marking(mark), Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
        const fiber = yield* Effect.forkChild(Idempotency.once(scope, "a", hanging))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* marks(mark), 0)
        assert.deepStrictEqual(yield* Idempotency.once(scope, "a", marking(mark)), { _tag: "Done", value: 1 })
      })
    )
  })
