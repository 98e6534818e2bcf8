/** Sign-in with a user name and a password, and what a token is worth at the moment. */
import { Problem, type Session } from "@vpnmgr/api"
import { type Actor, Id, Instant, type Transaction, UserStore } from "@vpnmgr/core"
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import * as Attempts from "./Attempts.ts"
import { Passwords } from "./Passwords.ts"
import { Policy } from "./Policy.ts"
import { Tokens } from "./Tokens.ts"

export interface Identity {
  readonly actor: Actor.ActorShape
  readonly sessionId: string
}

const wrong = new Problem.WrongCredentials({ detail: "The user name or the password is wrong" })

export class SignIn extends Context.Service<
  SignIn,
  {
    /** Opens a session. As slow for an unknown name as for a wrong password. */
    readonly signIn: (
      username: string,
      password: string
    ) => Effect.Effect<Session.Grant, Problem.WrongCredentials | Problem.TooMany | Transaction.StoreError>
    /** Whose token it is; null for one that is unknown, expired or revoked. */
    readonly identify: (token: string) => Effect.Effect<Identity | null, Transaction.StoreError>
    readonly signOut: (sessionId: string) => Effect.Effect<void, Transaction.StoreError>
  }
>()("@vpnmgr/http-server/SignIn") {
  static readonly layer = Layer.effect(
    SignIn,
    Effect.gen(function* () {
      const users = yield* UserStore.UserStore
      const passwords = yield* Passwords
      const tokens = yield* Tokens
      const policy = yield* Policy
      const random = yield* SecureRandom.SecureRandom
      const attempts = Attempts.make(policy.remembered)

      const signIn = Effect.fn("SignIn.signIn")(function* (username: string, password: string) {
        const name = username.toLowerCase()
        yield* attempts.begin(name)
        const found = yield* users.userByName(username)
        const isRight = yield* passwords.verify(found?.passwordHash ?? null, password)
        if (found === null || !isRight || found.user.isDisabled) return yield* wrong
        yield* attempts.succeeded(name)
        const id = yield* Effect.provideService(Id.make, SecureRandom.SecureRandom, random)
        const createdAt = yield* Instant.now
        const expiresAt = createdAt + policy.session
        yield* users.insertSession({ id, userId: found.user.id, createdAt, expiresAt, revokedAt: null })
        const token = yield* tokens.sign({ sessionId: id, userId: found.user.id }, expiresAt)
        return { token, expiresAt, user: found.user }
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

      return SignIn.of({
        signIn,
        identify,
        signOut: (sessionId) => Effect.flatMap(Instant.now, (now) => users.revokeSession(sessionId, now))
      })
    })
  ).pipe(Layer.provide(SecureRandom.layerWebCrypto))
}
