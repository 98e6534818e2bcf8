/**
 * How the first superuser comes to be: no default password, but a secret that the server prints at its first start and
 * that is good once. Only its hash is kept.
 */
import { timingSafeEqual } from "node:crypto"
import { Problem } from "@vpnmgr/api"
import { Actor, Directory, Inventory, SettingStore, Transaction, UserStore, type User } from "@vpnmgr/core"
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64Url } from "effect/encoding"
import { Passwords } from "./Passwords.ts"

const settingKey = "setup.secret"

export interface First {
  readonly secret: string
  readonly username: string
  readonly password: string
}

const used = new Problem.NotFound({ detail: "There is nothing to set up" })
const wrong = new Problem.Forbidden({ detail: "This is not the secret that the server printed last" })

const isSame = (hash: string, other: string): boolean =>
  hash.length === other.length && timingSafeEqual(Buffer.from(hash), Buffer.from(other))

export class Setup extends Context.Service<
  Setup,
  {
    /** While there is no user: makes another secret, the only good one from then on, and answers it. Else null. */
    readonly offer: Effect.Effect<string | null, Transaction.StoreError>
    /** Creates the first superuser and uses the secret up, both or neither. */
    readonly complete: (
      first: First
    ) => Effect.Effect<User.User, Problem.Forbidden | Problem.NotFound | Problem.TooMany | Directory.Failure>
  }
>()("@vpnmgr/http-server/Setup") {
  static readonly layer = Layer.effect(
    Setup,
    Effect.gen(function* () {
      const settings = yield* SettingStore.SettingStore
      const users = yield* UserStore.UserStore
      const directory = yield* Directory.Directory
      const transaction = yield* Transaction.Transaction
      const passwords = yield* Passwords
      const random = yield* SecureRandom.SecureRandom

      const offer = Effect.gen(function* () {
        if ((yield* users.countUsers) > 0) return null
        const secret = Base64Url.encode(yield* random.randomBytes(24))
        yield* settings.set(settingKey, Inventory.keyHash(secret))
        return secret
      })

      const complete = Effect.fn("Setup.complete")(function* ({ secret, username, password }: First) {
        const hash = yield* settings.get(settingKey)
        if (hash === null || (yield* users.countUsers) > 0) return yield* used
        if (!isSame(hash, Inventory.keyHash(secret))) return yield* wrong
        const passwordHash = yield* passwords.hash(password)
        const create = Effect.gen(function* () {
          if (!(yield* settings.remove(settingKey))) return yield* used
          return yield* directory.createUser({ username, role: "superuser", groupIds: [], passwordHash })
        })
        const { user } = yield* Effect.provideService(transaction.run(create), Actor.Actor, Actor.system)
        return user
      })

      return Setup.of({ offer, complete })
    })
  ).pipe(Layer.provide(SecureRandom.layerWebCrypto))
}
