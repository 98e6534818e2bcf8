/** What `SealStore` promises, and the core's `AuditTrail` makes of it: closed days stay as they were sealed. */
import { assert } from "@effect/vitest"
import { Actor, AuditLog, AuditSeal, AuditTrail, SealStore, Transaction } from "@vpnmgr/core"
import { Clock, Deferred, Effect, Fiber, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Stores, StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { anId, anIdOf, hour } from "./World.ts"

const day = 24 * hour
const page = { after: null, limit: 100 }

/** The first day of a time that no other test knows: days are closed for ever. */
let era = Date.UTC(2100, 0, 1)
const anEra = () => (era += 60 * day)

const trail = AuditTrail.AuditTrail.layer.pipe(Layer.provide(SecureRandom.layerWebCrypto))

const run = <A, E>(effect: Effect.Effect<A, E, Stores | AuditTrail.AuditTrail | Actor.Actor>) =>
  effect.pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.provide(trail))

/** Runs at an instant. */
const at =
  (now: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Clock.Clock, (real) =>
      Effect.provideService(effect, Clock.Clock, {
        currentTimeMillisUnsafe: () => now,
        currentTimeMillis: Effect.succeed(now),
        currentTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
        currentTimeNanos: Effect.succeed(BigInt(now) * 1_000_000n),
        monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: real.monotonicTimeNanos,
        sleep: (duration) => real.sleep(duration)
      })
    )

const record = (timestamp: number): AuditLog.AuditRecord => ({
  id: anIdOf(timestamp),
  timestamp,
  actorId: anId(),
  action: "subscription.suspend",
  targetType: "subscription",
  targetId: anId(),
  meta: { z: 1, a: { y: [true, null, "ü"], b: "9007199254740993" } }
})

const append = (...timestamps: ReadonlyArray<number>) =>
  Effect.flatMap(AuditLog.AuditStore, (audit) => audit.append(timestamps.map(record)))

/** Seals everything that has ended an hour into this day. */
const sealOn = (start: number) => Effect.flatMap(AuditTrail.AuditTrail, ({ seal }) => at(start + hour)(seal))

const checked = Effect.fnUntraced(function* (from: number, to: number) {
  const { verify } = yield* AuditTrail.AuditTrail
  const { isIntact, days } = yield* verify(from, to)
  return [isIntact, ...days.map(({ state, recordCount }) => `${state} ${recordCount}`)]
})

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`AuditTrail (${name})`, stores, (it) => {
    it.effect("seals every closed day that has records, each with the digest before it, once", () =>
      Effect.gen(function* () {
        const { seals } = yield* AuditTrail.AuditTrail
        const start = anEra()
        yield* append(start + hour, start + 2 * hour, start + day, start + 3 * day, start + 4 * day)
        yield* sealOn(start + 4 * day)
        assert.strictEqual(yield* sealOn(start + 4 * day), 0, "there is nothing left to seal")
        const found = (yield* seals({ from: start, to: start + 10 * day }, page)).toReversed()
        assert.deepStrictEqual(
          found.map(({ day, recordCount }) => [day, recordCount]),
          [
            [AuditSeal.dayOf(start), 2],
            [AuditSeal.dayOf(start + day), 1],
            [AuditSeal.dayOf(start + 3 * day), 1]
          ],
          "today is open"
        )
        for (const [index, { previous }] of found.entries())
          if (index > 0) assert.strictEqual(previous, found[index - 1]!.digest)
        assert.deepStrictEqual(yield* checked(start, start + 10 * day), [true, "matches 2", "matches 1", "matches 1"])
      }).pipe(run)
    )

    it.effect("seals a record that comes after its day was closed with the first day that is open", () =>
      Effect.gen(function* () {
        const start = anEra()
        yield* append(start + hour)
        yield* sealOn(start + day)
        yield* append(start + 23 * hour)
        assert.deepStrictEqual(yield* checked(start, start + 3 * day), [true, "matches 1"])
        yield* append(start + day + hour)
        yield* sealOn(start + 2 * day)
        assert.deepStrictEqual(yield* checked(start, start + 3 * day), [true, "matches 1", "matches 2"])
      }).pipe(run)
    )

    it.effect("waits for a change that is under way while its day is closed", () =>
      Effect.gen(function* () {
        const transaction = yield* Transaction.Transaction
        const start = anEra()
        const [appended, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const change = yield* transaction
          .run(
            Effect.gen(function* () {
              yield* append(start + 23 * hour)
              yield* Deferred.succeed(appended, undefined)
              yield* Deferred.await(released)
            })
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(appended)
        const sealing = yield* Effect.forkChild(sealOn(start + day))
        yield* Effect.sleep("300 millis")
        assert.isUndefined(sealing.pollUnsafe())
        yield* Deferred.succeed(released, undefined)
        yield* Fiber.join(change)
        yield* Fiber.join(sealing)
        assert.deepStrictEqual(yield* checked(start, start + day), [true, "matches 1"])
      }).pipe(run)
    )

    it.effect("digests a day of many records", () =>
      Effect.gen(function* () {
        const start = anEra()
        yield* append(...Array.from({ length: 2500 }, (_, index) => start + index))
        yield* sealOn(start + day)
        assert.deepStrictEqual(yield* checked(start, start + day), [true, "matches 2500"])
      }).pipe(run)
    )

    it.effect("lets whole sealed days go, says so, and keeps their seals", () =>
      Effect.gen(function* () {
        const audit = yield* AuditLog.AuditStore
        const { retain, seals } = yield* AuditTrail.AuditTrail
        const start = anEra()
        yield* append(start + hour, start + day, start + 2 * day, start + 2 * day + hour)
        yield* sealOn(start + 2 * day)
        const before = yield* seals({ from: start, to: start + 3 * day }, page)
        yield* at(start + 2 * day)(retain(start + day + hour))
        assert.strictEqual(yield* at(start + 2 * day)(retain(start + day + hour)), 0)
        const left = yield* audit.list({ from: start, to: start + 3 * day, action: "subscription.suspend" }, page)
        assert.deepStrictEqual(left.map(({ timestamp }) => timestamp).sort(), [
          start + day,
          start + 2 * day,
          start + 2 * day + hour
        ])
        const after = yield* seals({ from: start, to: start + 3 * day }, page)
        assert.deepStrictEqual(
          after,
          before.map((seal) => (seal.day === AuditSeal.dayOf(start) ? { ...seal, detachedAt: start + 2 * day } : seal))
        )
        const [said] = yield* audit.list({ action: "audit.detach", from: start, to: start + 3 * day }, page)
        assert.deepInclude(said?.meta, { to: AuditSeal.dayOf(start), digest: before.at(-1)!.digest })
        assert.deepStrictEqual(yield* checked(start, start + 2 * day), [true, "detached 0", "matches 1"])

        yield* at(start + 2 * day)(retain(start + 10 * day))
        const open = yield* audit.list({ from: start + 2 * day, to: start + 3 * day }, page)
        assert.isAtLeast(open.length, 2, "a day that is not sealed is kept, however old")
      }).pipe(run)
    )

    it.effect("is for superusers, and checks a bounded number of days", () =>
      Effect.gen(function* () {
        const { seals, verify } = yield* AuditTrail.AuditTrail
        const operator = Effect.provideService(Actor.Actor, { id: anId(), role: "operator" } as const)
        assert.strictEqual((yield* Effect.flip(operator(seals({}, page))))._tag, "Forbidden")
        assert.strictEqual((yield* Effect.flip(operator(verify(0, day))))._tag, "Forbidden")
        assert.strictEqual((yield* Effect.flip(verify(0, 32 * day)))._tag, "Invalid")
        assert.strictEqual((yield* Effect.flip(verify(day, day)))._tag, "Invalid")
        assert.deepStrictEqual(yield* verify(0, day), { isIntact: true, days: [] })
      }).pipe(run)
    )

    it.effect("stores one seal of a day, and never another", () =>
      Effect.gen(function* () {
        const store = yield* SealStore.SealStore
        const start = anEra()
        yield* append(start)
        yield* sealOn(start + day)
        const [seal] = yield* store.list({ from: start, to: start + day }, page)
        const { detachedAt: _, ...added } = seal!
        assert.isFalse(yield* store.add({ ...added, id: anIdOf(start), digest: "forged" }))
        assert.deepStrictEqual(yield* store.list({ from: start, to: start + day }, page), [seal!])
      }).pipe(run)
    )
  })
