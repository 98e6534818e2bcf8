/** Sign-in with a user name and a password, and what a token is worth at the moment. */
import { Access, Problem, type Session } from "@vpnmgr/api"
import { Actor, Failure, Instant, Sessions, type Transaction, UserStore } from "@vpnmgr/core"
import { Context, Effect, Layer } from "effect"
import * as Attempts from "./Attempts.ts"
import { Passwords } from "./Passwords.ts"
import { Policy } from "./Policy.ts"
import { Tokens } from "./Tokens.ts"

export interface Identity {
  readonly actor: Actor.ActorShape
  readonly sessionId: string
}

export interface PasswordChange {
  readonly currentPassword: string
  readonly newPassword: string
}

const wrong = new Problem.WrongCredentials({ detail: "The user name or the password is wrong" })

const notTheCurrent = new Failure.Invalid({
  field: "current_password",
  detail: "This is not the current password"
})

/** Over the local socket there is neither a session nor a password. */
const noSession = new Failure.NotFound({ noun: "session", id: "" })

export class SignIn extends Context.Service<
  SignIn,
  {
    /** Opens a session. As slow for an unknown name as for a wrong password. */
    readonly signIn: (
      username: string,
      password: string
    ) => Effect.Effect<Session.Grant, Problem.WrongCredentials | Problem.TooMany | Transaction.StoreError>
    /** Whose token it is; null for one that is unknown, expired or revoked, or a disabled user's. */
    readonly identify: (token: string) => Effect.Effect<Identity | null, Transaction.StoreError>
    /** Lets the session of the request last longer, and answers another token. */
    readonly renew: Effect.Effect<
      Session.Grant,
      Failure.NotFound | Failure.Forbidden | Transaction.StoreError,
      Actor.Actor | Access.CurrentSession
    >
    readonly signOut: Effect.Effect<
      void,
      Failure.NotFound | Failure.Forbidden | Transaction.StoreError,
      Actor.Actor | Access.CurrentSession
    >
    /** Changes the actor's own password; answers how many other sessions that ended. Guessing is slowed as in `signIn`. */
    readonly changePassword: (
      change: PasswordChange
    ) => Effect.Effect<
      number,
      Problem.TooMany | Failure.NotFound | Failure.Forbidden | Failure.Invalid | Transaction.StoreError,
      Actor.Actor | Access.CurrentSession
    >
  }
>()("@vpnmgr/http-server/SignIn") {
  static readonly layer = Layer.effect(
    SignIn,
    Effect.gen(function* () {
      const users = yield* UserStore.UserStore
      const sessions = yield* Sessions.Sessions
      const passwords = yield* Passwords
      const tokens = yield* Tokens
      const policy = yield* Policy
      const attempts = Attempts.make(policy.remembered)

      /** Whether the password is this user's; a wrong one makes the next try for the name wait. */
      const check = Effect.fnUntraced(function* (
        username: string,
        found: UserStore.UserSecret | null,
        password: string
      ) {
        const name = username.toLowerCase()
        const isRight = yield* passwords.verify(found?.passwordHash ?? null, password)
        if (found === null || !isRight || found.user.isDisabled) return false
        yield* attempts.succeeded(name)
        return true
      })

      const begin = (username: string) => Effect.andThen(passwords.room, attempts.begin(username.toLowerCase()))

      const granted = Effect.fnUntraced(function* (session: UserStore.Session, user: Session.Grant["user"]) {
        const { expiresAt } = session
        const token = yield* tokens.sign({ sessionId: session.id, userId: user.id }, expiresAt)
        return { token, expiresAt, user }
      })

      const signIn = Effect.fn("SignIn.signIn")(function* (username: string, password: string) {
        yield* begin(username)
        const found = yield* users.userByName(username)
        if (!(yield* check(username, found, password)) || found === null) return yield* wrong
        const session = yield* sessions.open(found, policy.session)
        return session === null ? yield* wrong : yield* granted(session, found.user)
      })

      const identify = Effect.fn("SignIn.identify")(function* (token: string) {
        const claims = yield* tokens.read(token)
        if (claims === null) return null
        const session = yield* users.session(claims.sessionId)
        if (session === null || session.userId !== claims.userId) return null
        if (session.revokedAt !== null || session.expiresAt <= (yield* Instant.now)) return null
        const user = yield* users.user(session.userId)
        return user === null || user.isDisabled
          ? null
          : { actor: { id: user.id, role: user.role }, sessionId: session.id }
      })

      const current = Effect.flatMap(Access.CurrentSession, ({ id }) =>
        id === null ? Effect.fail(noSession) : Effect.succeed(id)
      )

      const renew = Effect.gen(function* () {
        const session = yield* sessions.renew(yield* current, policy.session)
        const user = yield* users.user(session.userId)
        return user === null ? yield* noSession : yield* granted(session, user)
      })

      const changePassword = Effect.fn("SignIn.changePassword")(function* (change: PasswordChange) {
        const keep = yield* current
        const found = yield* users.keepUser((yield* Actor.Actor).id)
        if (found === null) return yield* noSession
        const { username } = found.user
        yield* begin(username)
        if (!(yield* check(username, found, change.currentPassword))) return yield* notTheCurrent
        const passwordHash = yield* passwords.hash(change.newPassword)
        const ended = yield* sessions.changePassword({ replaces: found.passwordHash, passwordHash, keep })
        return ended === null ? yield* notTheCurrent : ended
      })

      return SignIn.of({
        signIn,
        identify,
        renew,
        signOut: Effect.flatMap(current, (id) => sessions.revoke(id)),
        changePassword
      })
    })
  )
}
