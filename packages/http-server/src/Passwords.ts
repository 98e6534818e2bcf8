/**
 * Hashes and checks passwords: argon2id with 19 MiB, two passes; a few at a time, and a bounded number waiting, so that
 * a crowd at the door costs neither memory nor everybody's patience.
 */
import { hash, verify } from "@node-rs/argon2"
import { Problem } from "@vpnmgr/api"
import { Context, Effect, Layer, Semaphore } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64Url } from "effect/encoding"
import { Policy } from "./Policy.ts"

/** The number of argon2id in the library's (ambient, const) enum. */
const argon2id = 2
const cost = { algorithm: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Bytes of a password that is made here: 20 characters. */
const generatedLength = 15

const crowded = new Problem.TooMany({ detail: "Too many passwords are being checked: try again", retry_after: 1 })

export class Passwords extends Context.Service<
  Passwords,
  {
    /** A PHC string. */
    readonly hash: (password: string) => Effect.Effect<string, Problem.TooMany>
    /** Whether the password is the hashed one. Takes as long for null, which is nobody's. */
    readonly verify: (hashed: string | null, password: string) => Effect.Effect<boolean, Problem.TooMany>
    /** Fails while too many wait: to be asked before an attempt is counted. */
    readonly room: Effect.Effect<void, Problem.TooMany>
    /** A password nobody has guessed: 120 random bits. */
    readonly generate: Effect.Effect<string>
  }
>()("@vpnmgr/http-server/Passwords") {
  static readonly layer = Layer.effect(
    Passwords,
    Effect.gen(function* () {
      const { hashes, waitingHashes } = yield* Policy
      const turn = yield* Semaphore.make(hashes)
      const random = yield* SecureRandom.SecureRandom
      const nobody = yield* Effect.promise(() => hash("nobody has this password", cost))
      let waiting = 0

      const room = Effect.suspend(() => (waiting < waitingHashes ? Effect.void : crowded))
      /** A hash that has begun cannot be stopped, so it keeps its turn though nobody asks any more. */
      const inTurn = <A>(work: () => Promise<A>) =>
        Effect.andThen(
          room,
          Effect.acquireUseRelease(
            Effect.sync(() => void waiting++),
            () => turn.withPermit(Effect.uninterruptible(Effect.promise(work))),
            () => Effect.sync(() => void waiting--)
          )
        )

      return Passwords.of({
        hash: (password) => inTurn(() => hash(password, cost)),
        verify: (hashed, password) =>
          Effect.map(
            inTurn(() => verify(hashed ?? nobody, password)),
            (isSame) => isSame && hashed !== null
          ),
        room,
        generate: Effect.map(random.randomBytes(generatedLength), Base64Url.encode)
      })
    })
  ).pipe(Layer.provide(SecureRandom.layerWebCrypto))
}
