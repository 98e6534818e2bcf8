/** Hashes and checks passwords: argon2id with 19 MiB, two passes; a few at a time, whatever comes in. */
import { hash, verify } from "@node-rs/argon2"
import { Context, Effect, Layer, Semaphore } from "effect"
import { Policy } from "./Policy.ts"

/** The number of argon2id in the library's (ambient, const) enum. */
const argon2id = 2
const cost = { algorithm: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

export class Passwords extends Context.Service<
  Passwords,
  {
    /** A PHC string. */
    readonly hash: (password: string) => Effect.Effect<string>
    /** Whether the password is the hashed one. Takes as long for null, which is nobody's. */
    readonly verify: (hashed: string | null, password: string) => Effect.Effect<boolean>
  }
>()("@vpnmgr/http-server/Passwords") {
  static readonly layer = Layer.effect(
    Passwords,
    Effect.gen(function* () {
      const turn = yield* Semaphore.make((yield* Policy).hashes)
      const nobody = yield* Effect.promise(() => hash("nobody has this password", cost))
      return Passwords.of({
        hash: (password) => turn.withPermit(Effect.promise(() => hash(password, cost))),
        verify: (hashed, password) =>
          turn.withPermit(
            Effect.map(
              Effect.promise(() => verify(hashed ?? nobody, password)),
              (isSame) => isSame && hashed !== null
            )
          )
      })
    })
  )
}
