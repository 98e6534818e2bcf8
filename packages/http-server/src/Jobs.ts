/**
 * What runs without being asked. One replica of all on a database runs it, the one that holds the lease; every other one
 * looks for marks that were left lying. A replica that lost the lease may finish what it had begun beside its follower:
 * the stores see to it that nothing happens twice. A round that fails is logged and tried again at its next turn.
 */
import {
  Actor,
  type Audit,
  AuditTrail,
  type BucketStore,
  Fold,
  Idempotency,
  IdempotencyStore,
  Instant,
  Lease,
  type LeaseStore,
  Ledger,
  NodeStateStore,
  RecordStore,
  Sessions,
  Spares,
  type Transaction,
  UsageStore
} from "@vpnmgr/core"
import { Cause, Duration, Effect, Layer, Queue, Stream } from "effect"
import type { SecureRandom } from "effect/crypto"
import { Policy } from "./Policy.ts"

/** How long marks are collected before revisions are allotted; a wait is told of it soon, and many marks cost one. */
const coalesce = Duration.millis(100)

const lost = Duration.seconds(1)

const round = <A, E, R>(name: string, work: Effect.Effect<A, E, R>) =>
  Effect.catchCause(work, (cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.logError(`${name} failed and is tried again`, cause)
  )

const every = <A, E, R>(name: string, pause: Duration.Input, work: Effect.Effect<A, E, R>) =>
  Effect.forever(Effect.andThen(round(name, work), Effect.sleep(pause)))

/** Allots revisions 100 ms after the first mark it hears of. */
const prompt = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* NodeStateStore.NodeStateStore
    const marks = yield* Queue.sliding<void>(1)
    const listen = Stream.runForEach(store.dirtied, () => Queue.offer(marks, undefined))
    const allot = Effect.gen(function* () {
      yield* Queue.take(marks)
      yield* Effect.sleep(coalesce)
      yield* Queue.clear(marks)
      yield* store.assign
    })
    yield* Effect.forkScoped(every("listening for changes", lost, listen))
    yield* Effect.forkScoped(every("allotting revisions", 0, allot))
  })
)

/**
 * Allots revisions every second: of what was marked while no notification came, or whoever should have heard of it was
 * away. Two at once wait for each other, and the second finds nothing left.
 */
const lookout = Layer.effectDiscard(
  Effect.flatMap(NodeStateStore.NodeStateStore, ({ assign }) =>
    Effect.forkScoped(every("allotting revisions that were left", lost, assign))
  )
)

/** Allots revisions after commits: 100 ms after the first mark, and every second in case a notification was lost. */
export const assigner = Layer.mergeAll(prompt, lookout)

/** Turns windows that have ended. */
export const windows: Layer.Layer<
  never,
  never,
  BucketStore.BucketStore | NodeStateStore.NodeStateStore | Transaction.Transaction
> = Layer.effectDiscard(Effect.forkScoped(every("turning windows", "1 second", Ledger.turnDue)))

/** Weighs every bucket at start and once a day; what a restore or a hand left wrong is mended. */
export const mending = Layer.effectDiscard(
  Effect.flatMap(
    Effect.context<BucketStore.BucketStore | NodeStateStore.NodeStateStore | Transaction.Transaction | Audit.Needs>(),
    (context) =>
      Effect.forkScoped(
        every(
          "weighing every bucket",
          "1 day",
          Ledger.mend.pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.provide(context))
        )
      )
  )
)

/** Folds raw rows into pieces and spans of use, where that is due. */
export const folds: Layer.Layer<never, never, UsageStore.UsageStore> = Layer.effectDiscard(
  Effect.forkScoped(every("folding reports", "10 seconds", Fold.due))
)

/** Fills the pool of spares at start and when it is due. */
export const spares = Layer.effectDiscard(
  Effect.flatMap(Spares.Spares, ({ refillDue }) =>
    Effect.forkScoped(every("refilling spares", "10 seconds", refillDue))
  )
)

/** Drops raw reports, uses and sealed days of the audit trail that are older than the policy keeps them. */
export const retention = Layer.effectDiscard(
  Effect.gen(function* () {
    const usage = yield* UsageStore.UsageStore
    const records = yield* RecordStore.RecordStore
    const trail = yield* AuditTrail.AuditTrail
    const { accessRetention, auditRetention, retention } = yield* Policy
    const before = <A, E, R>(kept: number, drop: (before: Instant.Instant) => Effect.Effect<A, E, R>) =>
      Effect.flatMap(Instant.now, (now) => drop(now - kept))
    yield* Effect.forkScoped(every("dropping old reports", "1 hour", before(retention, usage.retain)))
    yield* Effect.forkScoped(
      every("dropping the old access log", "1 hour", before(accessRetention, records.retainAccessLog))
    )
    if (auditRetention !== null)
      yield* Effect.forkScoped(every("letting old audit days go", "1 hour", before(auditRetention, trail.retain)))
  })
)

/** Seals the days of the audit trail that have ended. Whoever comes second finds them sealed. */
export const seals = Layer.effectDiscard(
  Effect.flatMap(AuditTrail.AuditTrail, ({ seal }) =>
    Effect.forkScoped(every("sealing the audit trail", "5 minutes", seal))
  )
)

/** Removes sessions that have expired. */
export const sessions = Layer.effectDiscard(
  Effect.flatMap(Sessions.Sessions, ({ removeExpired }) =>
    Effect.forkScoped(every("removing expired sessions", "10 minutes", removeExpired))
  )
)

/** Answers that are dropped in one statement at most. */
const forgotten = 1000

/** Drops answers that may no longer be repeated, a bounded number at a time. */
export const answers = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* IdempotencyStore.IdempotencyStore
    const drop = Effect.flatMap(Instant.now, (now) => store.forget(now - Idempotency.retention, forgotten))
    const all = Effect.repeat(drop, { while: (count) => count === forgotten })
    yield* Effect.forkScoped(every("dropping old answers", "10 minutes", all))
  })
)

/** What one replica does for all. */
const once = Layer.mergeAll(prompt, windows, mending, folds, spares, retention, seals, sessions, answers)

/** All of them: what one replica does for all runs where the lease is held, and moves with it. */
export const layer: Layer.Layer<
  never,
  never,
  Layer.Services<typeof once> | LeaseStore.LeaseStore | SecureRandom.SecureRandom
> = Layer.mergeAll(
  lookout,
  Layer.effectDiscard(Effect.forkScoped(Lease.whileHeld("jobs", Layer.launch(Layer.fresh(once)))))
)
