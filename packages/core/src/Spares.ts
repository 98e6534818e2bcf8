/**
 * The pool of spares: credentials the nodes already know and nobody has yet, so that creating and rotating need no
 * restart. Refilled in one go, which restarts each node's plane once.
 */
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { Actor } from "./Actor.ts"
import * as Actors from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { CredentialRef } from "./Credential.ts"
import { secretLength } from "./Credential.ts"
import type { Pool } from "./CredentialStore.ts"
import { CredentialStore } from "./CredentialStore.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import { SettingStore } from "./SettingStore.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"

/** When the pool is refilled. */
export interface Policy {
  /** The least number of spares a full pool holds. */
  readonly minimum: number
  /** At most one refill in this span, milliseconds: each one restarts every node's plane. */
  readonly interval: number
  /** The hour (UTC, 0 to 23) for refills that can wait. */
  readonly quietHour: number
}

export const Policy = Context.Reference<Policy>("@vpnmgr/core/Spares/Policy", {
  defaultValue: () => ({ minimum: 64, interval: 3_600_000, quietHour: 4 })
})

/** However much is used, a pool holds no more: every node lists every spare at each of its inbounds. */
const most = 5000

/** How many spares a full pool holds: the larger of the minimum and twice the last week's use, at most 5,000. */
export const target = (pool: Pool, policy: Policy): number =>
  Math.max(policy.minimum, Math.min(most, 2 * pool.takenLastWeek))

/**
 * Whether to refill now. At once when less than a quarter is left or somebody waits for a credential the nodes do not
 * know; in the quiet hour when less than half is left; never twice within the interval. The first filling never waits.
 */
export const isDue = (
  pool: Pool,
  policy: Policy,
  lastRefill: Instant.Instant | null,
  now: Instant.Instant
): boolean => {
  if (lastRefill === null) return true
  if (now - lastRefill < policy.interval) return false
  const full = target(pool, policy)
  if (pool.unreleased > 0 || pool.spares * 4 < full) return true
  return pool.spares * 2 < full && new Date(now).getUTCHours() === policy.quietHour
}

const lastRefillKey = "spares.last_refill"
const refillingKey = "spares.refilling"

export class Spares extends Context.Service<
  Spares,
  {
    /**
     * Gives a subscription a credential nobody had: a spare, or, when the pool is empty, a new one that the nodes
     * learn at the next refill. Runs inside the caller's transaction.
     */
    readonly give: (
      subscriptionId: string,
      inboundIds: ReadonlyArray<string>
    ) => Effect.Effect<CredentialRef, StoreError>
    /** Refills when it is due; answers how many spares were added. */
    readonly refillDue: Effect.Effect<number, StoreError>
    /** Refills now, as the acting user. */
    readonly refill: Effect.Effect<number, StoreError, Actor>
    readonly pool: Effect.Effect<Pool, StoreError>
  }
>()("@vpnmgr/core/Spares") {
  static readonly layer = Layer.effect(
    Spares,
    Effect.gen(function* () {
      const credentials = yield* CredentialStore
      const settings = yield* SettingStore
      const nodeStates = yield* NodeStateStore
      const transaction = yield* Transaction
      const random = yield* SecureRandom.SecureRandom
      const policy = yield* Policy
      const context = yield* Effect.context<Audit.Needs>()

      const give = Effect.fn("Spares.give")(function* (subscriptionId: string, inboundIds: ReadonlyArray<string>) {
        const now = yield* Instant.now
        const spare = yield* credentials.take(subscriptionId, inboundIds, now)
        if (spare !== null) return spare
        const [ref] = yield* credentials.insert([yield* random.randomBytes(secretLength)], false)
        yield* credentials.assign(ref!, subscriptionId, now)
        return ref!
      })

      /**
       * Adds what is missing, and marks what was taken, so that nodes without the subscription forget its credential. The
       * first write makes a second refiller wait, who then finds that nothing is due.
       */
      const fill = Effect.fnUntraced(function* (onlyWhenDue: boolean) {
        const now = yield* Instant.now
        yield* settings.set(refillingKey, String(now))
        if (onlyWhenDue && !(yield* due)) return 0
        const last = yield* settings.get(lastRefillKey)
        yield* settings.set(lastRefillKey, String(now))
        const pool = yield* credentials.pool(now)
        const missing = Math.max(0, target(pool, policy) - pool.spares)
        const secrets = yield* Effect.replicateEffect(random.randomBytes(secretLength), missing)
        const added = yield* credentials.insert(secrets, true)
        const released = yield* credentials.release
        const taken = last === null ? [] : yield* credentials.takenSince(Number(last))
        if (added.length + released.length + taken.length === 0) return 0
        yield* nodeStates.markSpares([...added, ...released, ...taken])
        yield* Audit.record({
          action: "spares.refill",
          targetType: "pool",
          targetId: Id.system,
          meta: { added: added.length, released: released.length }
        })
        return added.length
      })

      const due = Effect.gen(function* () {
        const now = yield* Instant.now
        const last = yield* settings.get(lastRefillKey)
        return isDue(yield* credentials.pool(now), policy, last === null ? null : Number(last), now)
      })

      const run = (onlyWhenDue: boolean) =>
        transaction
          .run(fill(onlyWhenDue))
          .pipe(
            Effect.tap((added) =>
              added > 0 ? Effect.logInfo("spares refilled: every node restarts its plane once", { added }) : Effect.void
            )
          )

      return Spares.of({
        give,
        refill: run(false).pipe(Effect.provide(context)),
        refillDue: Effect.flatMap(due, (isDueNow) => (isDueNow ? run(true) : Effect.succeed(0))).pipe(
          Effect.provideService(Actor, Actors.system),
          Effect.provide(context)
        ),
        pool: Effect.flatMap(Instant.now, credentials.pool)
      })
    })
  )
}
