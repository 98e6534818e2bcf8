/**
 * The audit trail as a whole: its closed days are sealed one after the other, can be checked against their seals, and
 * are let go when they are old enough. One record per change is `Audit`'s part.
 */
import { Context, Effect, Layer } from "effect"
import type { SecureRandom } from "effect/crypto"
import { Actor } from "./Actor.ts"
import * as Actors from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { AuditStore, Page } from "./AuditLog.ts"
import type { AuditSeal, Day } from "./AuditSeal.ts"
import * as Seals from "./AuditSeal.ts"
import { type Forbidden, Invalid } from "./Failure.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"
import { onlySuperuser } from "./Records.ts"
import { type SealFilter, SealStore } from "./SealStore.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"

/**
 * What became of a sealed day: its records are what was sealed; they are not; they were let go by retention, and only the
 * chain can be checked; or the seal does not follow the one before it.
 */
export type DayState = "matches" | "differs" | "detached" | "unchained"

export interface CheckedDay {
  readonly day: Day
  readonly state: DayState
  /** Records found now. */
  readonly recordCount: number
}

export interface Verification {
  /** True when every day matches or was let go. */
  readonly isIntact: boolean
  /** Oldest first; days without a record have no seal. */
  readonly days: ReadonlyArray<CheckedDay>
}

const day = 86_400_000

/** Days checked in one go at most. */
export const checkedDays = 31

/** How long after midnight a day is closed, milliseconds: changes that took over midnight are in their own day by then. */
const settled = 10 * 60_000

const readAtOnce = 1000
const detachedAtOnce = 31

export class AuditTrail extends Context.Service<
  AuditTrail,
  {
    /** Closes and seals every day that has ended; answers how many were sealed here. Whoever comes second does nothing. */
    readonly seal: Effect.Effect<number, StoreError>
    /** For superusers. Newest first. */
    readonly seals: (
      filter: SealFilter,
      page: Page
    ) => Effect.Effect<ReadonlyArray<AuditSeal>, Forbidden | StoreError, Actor>
    /** For superusers. Digests the sealed days that begin in `from` ≤ … < `to` again; at most `checkedDays`. */
    readonly verify: (
      from: Instant.Instant,
      to: Instant.Instant
    ) => Effect.Effect<Verification, Forbidden | Invalid | StoreError, Actor>
    /** Lets the records of sealed days that ended before go, by whole days, audited; answers how many days. */
    readonly retain: (before: Instant.Instant) => Effect.Effect<number, StoreError>
  }
>()("@vpnmgr/core/AuditTrail") {
  static readonly layer = Layer.effect(
    AuditTrail,
    Effect.gen(function* () {
      const store = yield* SealStore
      const transaction = yield* Transaction
      const context = yield* Effect.context<AuditStore | SecureRandom.SecureRandom>()

      const digest = Effect.fnUntraced(function* (day: Day, previous: string | null) {
        const digest = Seals.begin(day, previous)
        for (let after: string | null = null; ;) {
          const records: Effect.Success<ReturnType<typeof store.records>> = yield* store.records(day, {
            after,
            limit: readAtOnce
          })
          digest.add(records)
          if (records.length < readAtOnce) return digest.end()
          after = records.at(-1)!.id
        }
      })

      const seal = Effect.gen(function* () {
        const now = yield* Instant.now
        yield* store.close(Seals.dayOf(now - settled - day))
        for (let sealed = 0; ; sealed++) {
          const [newest] = yield* store.list({}, { after: null, limit: 1 })
          const next = yield* store.nextUnsealed
          if (next === null) return sealed
          const previous = newest?.digest ?? null
          const id = yield* Id.makeAt(Seals.startOf(next))
          const added = { id, day: next, previous, ...(yield* digest(next, previous)), sealedAt: yield* Instant.now }
          if (!(yield* store.add(added))) return sealed
        }
      })

      const verify = Effect.fn("AuditTrail.verify")(function* (from: Instant.Instant, to: Instant.Instant) {
        yield* onlySuperuser
        if (to <= from || to - from > checkedDays * day)
          return yield* new Invalid({
            field: "to",
            detail: `Expected an instant after from, at most ${checkedDays} days`
          })
        const found = yield* store.list({ from, to }, { after: null, limit: checkedDays + 1 })
        let [before] = yield* store.list({ to: from }, { after: null, limit: 1 })
        const days: Array<CheckedDay> = []
        for (const seal of found.toReversed()) {
          const isChained = seal.previous === (before?.digest ?? null)
          const again = yield* digest(seal.day, seal.previous)
          const isSame = again.digest === seal.digest && again.recordCount === seal.recordCount
          const isGone = seal.detachedAt !== null && again.recordCount === 0
          const state = !isChained ? "unchained" : isGone ? "detached" : isSame ? "matches" : "differs"
          days.push({ day: seal.day, state, recordCount: again.recordCount })
          before = seal
        }
        return { isIntact: days.every(({ state }) => state === "matches" || state === "detached"), days }
      })

      const detach = Effect.fnUntraced(function* (before: Instant.Instant) {
        const seals = yield* store.detach(Seals.dayOf(before), detachedAtOnce, yield* Instant.now)
        const last = seals.at(-1)
        if (last === undefined) return 0
        yield* Audit.record({
          action: "audit.detach",
          targetType: "audit_seal",
          targetId: last.id,
          meta: {
            from: seals[0]!.day,
            to: last.day,
            days: seals.length,
            records: seals.reduce((sum, { recordCount }) => sum + recordCount, 0),
            digest: last.digest
          }
        })
        return seals.length
      })

      const retain = Effect.fn("AuditTrail.retain")(function* (before: Instant.Instant) {
        for (let detached = 0; ;) {
          const some = yield* transaction.run(detach(before))
          detached += some
          if (some < detachedAtOnce) return detached
        }
      })

      return AuditTrail.of({
        seal: seal.pipe(Effect.provide(context), Effect.withSpan("AuditTrail.seal")),
        seals: Effect.fn("AuditTrail.seals")((filter, page) => Effect.andThen(onlySuperuser, store.list(filter, page))),
        verify,
        retain: (before) => retain(before).pipe(Effect.provideService(Actor, Actors.system), Effect.provide(context))
      })
    })
  )
}
