/**
 * Signed-in spans, and the passwords that open them. A password that is changed or reset ends sessions in the same
 * transaction, so that nobody stays signed in with the old one. Checking and hashing passwords is the host's.
 */
import { Context, Effect, Layer } from "effect"
import type { SecureRandom } from "effect/crypto"
import { Actor } from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { AuditStore, Page } from "./AuditLog.ts"
import { Forbidden, NotFound } from "./Failure.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"
import type { Session, UserSecret } from "./UserStore.ts"
import { UserStore } from "./UserStore.ts"

/** How long a session lasts, milliseconds. */
export interface Span {
  /** Since it was opened or renewed last. */
  readonly lifetime: number
  /** Since it was opened, however often it is renewed. */
  readonly maximum: number
}

export interface SessionFilter {
  readonly userId?: string
}

export interface NewPassword {
  /** The hash of the password that was given as the current one. */
  readonly replaces: string
  readonly passwordHash: string
  /** The session that goes on. */
  readonly keep: string | null
}

type Failure = NotFound | Forbidden | StoreError
type Answer<A> = Effect.Effect<A, Failure, Actor>

const expiredAtOnce = 1000

export class Sessions extends Context.Service<
  Sessions,
  {
    /** Signs in whoever gave the password with this hash; null when the user has another by now, or may not sign in. */
    readonly open: (secret: UserSecret, span: Span) => Effect.Effect<Session | null, StoreError>
    /** Lets a session last longer, up to its maximum. */
    readonly renew: (id: string, span: Span) => Answer<Session>
    /** Those that are good now: an operator's own, everybody's for a superuser. By id, ascending. */
    readonly list: (filter: SessionFilter, page: Page) => Answer<ReadonlyArray<Session>>
    readonly revoke: (id: string) => Answer<void>
    /** Revokes all that are good of a user; answers how many. */
    readonly revokeAll: (userId: string) => Answer<number>
    /** Changes the actor's password and ends its other sessions; null when the password is another by now. */
    readonly changePassword: (change: NewPassword) => Answer<number | null>
    /** As a superuser: gives a user another password and ends all its sessions; answers how many. */
    readonly resetPassword: (userId: string, passwordHash: string) => Answer<number>
    /** Removes what has expired; answers how many. Work follows what is due. */
    readonly removeExpired: Effect.Effect<number, StoreError>
  }
>()("@vpnmgr/core/Sessions") {
  static readonly layer = Layer.effect(
    Sessions,
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const users = yield* UserStore
      const context = yield* Effect.context<AuditStore | SecureRandom.SecureRandom>()

      const atomic = <A, E>(effect: Effect.Effect<A, E, Actor | AuditStore | SecureRandom.SecureRandom>) =>
        transaction.run(effect).pipe(Effect.provide(context))

      /** Says that a session lasts until another instant; revoked, until now. */
      const recorded = (
        action: string,
        { id, userId }: Session,
        before: Instant.Instant | null,
        after: Instant.Instant
      ) =>
        Audit.record({
          action: `session.${action}`,
          targetType: "session",
          targetId: id,
          meta: {
            user_id: userId,
            expires_at: { before: before === null ? null : Instant.format(before), after: Instant.format(after) }
          }
        })

      const visible = Effect.fnUntraced(function* (id: string) {
        const actor = yield* Actor
        const found = yield* users.session(id)
        const isGood = found !== null && found.revokedAt === null && found.expiresAt > (yield* Instant.now)
        if (!isGood || (actor.role !== "superuser" && found.userId !== actor.id))
          return yield* new NotFound({ noun: "session", id })
        return found
      })

      const open = Effect.fn("Sessions.open")(function* ({ passwordHash, user }: UserSecret, { lifetime }: Span) {
        const opening = Effect.gen(function* () {
          const secret = yield* users.keepUser(user.id)
          if (secret === null || secret.user.isDisabled || secret.passwordHash !== passwordHash) return null
          const createdAt = yield* Instant.now
          const session = {
            id: yield* Id.make,
            userId: user.id,
            createdAt,
            expiresAt: createdAt + lifetime,
            revokedAt: null
          }
          yield* users.insertSession(session)
          yield* recorded("open", session, null, session.expiresAt)
          return session
        })
        return yield* Effect.provideService(atomic(opening), Actor, { id: user.id, role: user.role })
      })

      const renew = Effect.fnUntraced(function* (id: string, { lifetime, maximum }: Span) {
        const before = yield* visible(id)
        const expiresAt = Math.min((yield* Instant.now) + lifetime, before.createdAt + maximum)
        yield* users.renewSession(id, expiresAt)
        yield* recorded("renew", before, before.expiresAt, expiresAt)
        return { ...before, expiresAt }
      })

      const list = Effect.fn("Sessions.list")(function* ({ userId }: SessionFilter, page: Page) {
        const actor = yield* Actor
        const now = yield* Instant.now
        if (actor.role === "superuser") return yield* users.listSessions(userId ?? null, now, page)
        return userId === undefined || userId === actor.id ? yield* users.listSessions(actor.id, now, page) : []
      })

      const revoke = Effect.fnUntraced(function* (id: string) {
        const found = yield* visible(id)
        const now = yield* Instant.now
        yield* users.revokeSession(id, now)
        yield* recorded("revoke", found, found.expiresAt, now)
      })

      const existing = (id: string) =>
        Effect.flatMap(users.user(id), (user) =>
          user === null ? Effect.fail(new NotFound({ noun: "user", id })) : Effect.void
        )

      /** Ends what is good of a user's sessions, and says so. */
      const end = Effect.fnUntraced(function* (action: string, userId: string, keep: string | null) {
        const ended = yield* users.revokeSessions(userId, yield* Instant.now, keep)
        const meta = { ended_sessions: ended }
        yield* Audit.record({ action: `user.${action}`, targetType: "user", targetId: userId, meta })
        return ended
      })

      const revokeAll = Effect.fnUntraced(function* (userId: string) {
        const actor = yield* Actor
        if (actor.role !== "superuser" && actor.id !== userId) return yield* new NotFound({ noun: "user", id: userId })
        yield* existing(userId)
        return yield* end("revoke_sessions", userId, null)
      })

      const changePassword = Effect.fnUntraced(function* ({ keep, passwordHash, replaces }: NewPassword) {
        const { id } = yield* Actor
        return (yield* users.setPassword(id, passwordHash, replaces)) ? yield* end("change_password", id, keep) : null
      })

      const resetPassword = Effect.fnUntraced(function* (userId: string, passwordHash: string) {
        const actor = yield* Actor
        if (actor.role !== "superuser") return yield* new Forbidden({ detail: "Only a superuser may do this" })
        if (!(yield* users.setPassword(userId, passwordHash, null)))
          return yield* new NotFound({ noun: "user", id: userId })
        return yield* end("reset_password", userId, null)
      })

      const removeExpired = Effect.gen(function* () {
        const now = yield* Instant.now
        let removed = 0
        for (;;) {
          const some = yield* users.removeExpired(now, expiredAtOnce)
          removed += some
          if (some < expiredAtOnce) return removed
        }
      })

      return Sessions.of({
        open,
        renew: (id, span) => atomic(renew(id, span)),
        list,
        revoke: (id) => atomic(revoke(id)),
        revokeAll: (userId) => atomic(revokeAll(userId)),
        changePassword: (change) => atomic(changePassword(change)),
        resetPassword: (userId, passwordHash) => atomic(resetPassword(userId, passwordHash)),
        removeExpired
      })
    })
  )
}
