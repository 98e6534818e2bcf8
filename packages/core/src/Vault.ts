/**
 * Encrypts what must not be read from a stolen database: AES-256-GCM, with key id and nonce kept with the value, and
 * table, column and row as associated data, so that a value moved elsewhere does not open.
 *
 * Sealed form: 4 bytes key id, 12 bytes nonce, ciphertext with its 16-byte tag.
 */
import { gcm } from "@noble/ciphers/aes.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { SecureRandom } from "effect/crypto"

/** A sealed value does not open: another key, another row, or damaged. */
export class SealBroken extends Schema.TaggedError<SealBroken>()("SealBroken", { place: Schema.String }) {}

const keyIdLength = 4
const nonceLength = 12

export class Vault extends Context.Service<
  Vault,
  {
    /** Seals for one place, such as `credentials|secret|17`. */
    readonly seal: (place: string, value: Uint8Array) => Effect.Effect<Uint8Array>
    /** Opens what was sealed for the same place. */
    readonly open: (place: string, sealed: Uint8Array) => Effect.Effect<Uint8Array, SealBroken>
  }
>()("@vpnmgr/core/Vault") {
  /** A vault with one 32-byte key. */
  static readonly layer = (key: Redacted.Redacted<Uint8Array>): Layer.Layer<Vault> =>
    Layer.effect(
      Vault,
      Effect.gen(function* () {
        const random = yield* SecureRandom.SecureRandom
        const bytes = Redacted.value(key)
        if (bytes.length !== 32) return yield* Effect.die(new RangeError("the encryption key must be 32 bytes"))
        const keyId = sha256(bytes).subarray(0, keyIdLength)
        const aad = (place: string) => new TextEncoder().encode(`vpnmgr/1|${place}`)
        return Vault.of({
          seal: (place, value) =>
            Effect.map(random.randomBytes(nonceLength), (nonce) => {
              const sealed = gcm(bytes, nonce, aad(place)).encrypt(value)
              return Uint8Array.from([...keyId, ...nonce, ...sealed])
            }),
          open: (place, sealed) =>
            Effect.try({
              try: () =>
                gcm(bytes, sealed.subarray(keyIdLength, keyIdLength + nonceLength), aad(place)).decrypt(
                  sealed.subarray(keyIdLength + nonceLength)
                ),
              catch: () => new SealBroken({ place })
            })
        })
      })
    ).pipe(Layer.provide(SecureRandom.layerWebCrypto))
}
