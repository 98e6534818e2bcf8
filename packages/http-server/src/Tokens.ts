/**
 * Signs and reads the tokens of sessions: HS256, with the session's id inside. What a token may do is looked up with
 * every request, so a revoked session ends at once, and an expired one in the middle of a second, which a token cannot
 * say.
 *
 * The signing key is made once for the store and kept sealed in it. One that no longer opens is replaced: everybody
 * signs in again.
 */
import { Instant, SettingStore, type Transaction, Vault } from "@vpnmgr/core"
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64 } from "effect/encoding"
import { jwtVerify, SignJWT } from "jose"

const settingKey = "session.signing_key"
const place = `settings|value|${settingKey}`
const issuer = "vpnmgr"
const algorithm = "HS256"

export interface Claims {
  readonly sessionId: string
  readonly userId: string
}

export class Tokens extends Context.Service<
  Tokens,
  {
    readonly sign: (claims: Claims, expiresAt: Instant.Instant) => Effect.Effect<string>
    /** Null for what is not ours, altered or expired. */
    readonly read: (token: string) => Effect.Effect<Claims | null>
  }
>()("@vpnmgr/http-server/Tokens") {
  static readonly layer: Layer.Layer<Tokens, Transaction.StoreError, SettingStore.SettingStore | Vault.Vault> =
    Layer.effect(
      Tokens,
      Effect.gen(function* () {
        const settings = yield* SettingStore.SettingStore
        const vault = yield* Vault.Vault
        const random = yield* SecureRandom.SecureRandom

        const fresh = Effect.gen(function* () {
          return Base64.encode(yield* vault.seal(place, yield* random.randomBytes(32)))
        })
        const opened = (sealed: string) =>
          Effect.flatMap(Effect.fromResult(Base64.decode(sealed)), (bytes) => vault.open(place, bytes))
        const replaced = Effect.gen(function* () {
          yield* Effect.logWarning("the key that signs sessions does not open; everybody signs in again")
          const sealed = yield* fresh
          yield* settings.set(settingKey, sealed)
          return yield* opened(sealed)
        })
        const standing = yield* settings.claim(settingKey, yield* fresh)
        const key = yield* opened(standing).pipe(
          Effect.catch(() => replaced),
          Effect.orDie
        )

        return Tokens.of({
          sign: ({ sessionId, userId }, expiresAt) =>
            Effect.promise(() =>
              new SignJWT({ sid: sessionId })
                .setProtectedHeader({ alg: algorithm })
                .setIssuer(issuer)
                .setSubject(userId)
                .setExpirationTime(Math.ceil(expiresAt / 1000))
                .sign(key)
            ),
          read: Effect.fnUntraced(function* (token: string) {
            const currentDate = new Date(yield* Instant.now)
            return yield* Effect.promise(() =>
              jwtVerify(token, key, { issuer, algorithms: [algorithm], currentDate }).then(
                ({ payload: { sid, sub } }) =>
                  typeof sid === "string" && typeof sub === "string" ? { sessionId: sid, userId: sub } : null,
                () => null
              )
            )
          })
        })
      })
    ).pipe(Layer.provide(SecureRandom.layerWebCrypto))
}
