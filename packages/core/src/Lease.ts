/**
 * Work that runs in one process of many: whoever holds the lease runs it, extends the lease while it runs, and lets go
 * when it stops. A holder that is killed, frozen or cut off from the store is followed by another one.
 *
 * A lease spares work; it guards nothing. A process that was frozen may take a few more steps before it learns that it
 * has lost the lease, so what runs under one must be harmless when two run it at once.
 */
import { Cause, Clock, Context, Deferred, Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { Hex } from "effect/encoding"
import { broken } from "./internal/testBuild.ts"
import { LeaseStore } from "./LeaseStore.ts"

/** Milliseconds, the same for every process of a store. */
export interface Policy {
  /** How long a lease is good for without being extended. */
  readonly span: number
  /** How often its holder extends it; when the store does not answer, it asks again as often as the others look. */
  readonly extend: number
  /** How often everybody else looks whether it is free. */
  readonly look: number
}

/** A lost holder is followed within `span` + `look`: seven seconds. A busy process that is late by four loses nothing. */
export const Policy = Context.Reference<Policy>("@vpnmgr/core/Lease/Policy", {
  defaultValue: () => ({ span: broken("lease") ? 3_600_000 : 6000, extend: 2000, look: 1000 })
})

const elapsed = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

/**
 * Runs `work`, which never ends by itself, for as long as this process holds the lease; waits for the lease before and
 * after. Whether the lease is still held is judged by this process's own monotonic clock, from when it last asked, so
 * that no answer has to come for it to stop.
 */
export const whileHeld = Effect.fn("Lease.whileHeld")(function* <E, R>(
  name: string,
  work: Effect.Effect<unknown, E, R>
): Effect.fn.Return<never, E, R | LeaseStore | SecureRandom.SecureRandom> {
  const store = yield* LeaseStore
  const { extend, look, span } = yield* Policy
  const random = yield* SecureRandom.SecureRandom
  const holder = Hex.encode(yield* random.randomBytes(16))

  /** The term and until when it lasts; undefined when the store could not be asked. */
  const take = Effect.gen(function* () {
    const asked = yield* elapsed
    const term = yield* store.take(name, holder, span)
    return { term, until: asked + span }
  }).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.as(Effect.logWarning("the lease could not be asked for", cause), undefined)
    )
  )

  const hold = Effect.fnUntraced(function* (term: number, until: number) {
    const lost = yield* Deferred.make<void>()
    let end = until
    const extending = Effect.gen(function* () {
      for (let pause = extend; ;) {
        yield* Effect.sleep(pause)
        const taken = yield* take
        pause = taken === undefined ? look : extend
        if (taken?.term === term) end = taken.until
        else if (taken !== undefined) yield* Deferred.succeed(lost, undefined)
      }
    })
    const watching = Effect.gen(function* () {
      for (let left = end - (yield* elapsed); left > 0; left = end - (yield* elapsed)) yield* Effect.sleep(left)
      yield* Deferred.succeed(lost, undefined)
    })
    yield* Effect.forkScoped(extending)
    yield* Effect.forkScoped(watching)
    yield* Effect.raceFirst(Deferred.await(lost), Effect.andThen(work, Effect.never))
  }, Effect.scoped)

  const turn = Effect.gen(function* () {
    const taken = yield* take
    if (taken === undefined || taken.term === null) return yield* Effect.sleep(look)
    const told = { lease: name, holder, term: taken.term }
    yield* Effect.logInfo("took the lease", told)
    yield* hold(taken.term, taken.until)
    return yield* Effect.logWarning("lost the lease", told)
  })
  return yield* Effect.forever(turn).pipe(Effect.ensuring(Effect.ignore(store.release(name, holder))))
})
