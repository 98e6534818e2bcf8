/**
 * The vault of core over Node's own AES-256-GCM: the same sealed form, key ids and places, so that either opens what the
 * other sealed. Opening a secret takes less than half as long (decision 37).
 */
import { Vault } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { createCipheriv, createDecipheriv, createHash, createSecretKey, randomBytes } from "node:crypto"

const algorithm = "aes-256-gcm"
const [keyIdLength, nonceLength, tagLength] = [4, 12, 16]

const aad = (place: string): Buffer => Buffer.from(`vpnmgr/1|${place}`)

/** A vault with one 32-byte key. */
export const layer = (key: Redacted.Redacted<Uint8Array>): Layer.Layer<Vault.Vault> =>
  Layer.effect(
    Vault.Vault,
    Effect.suspend(() => {
      const bytes = Redacted.value(key)
      if (bytes.length !== 32) return Effect.die(new RangeError("the encryption key must be 32 bytes"))
      const secret = createSecretKey(bytes)
      const keyId = createHash("sha256").update(bytes).digest().subarray(0, keyIdLength)
      const seal = (place: string, value: Uint8Array) => {
        const nonce = randomBytes(nonceLength)
        const cipher = createCipheriv(algorithm, secret, nonce).setAAD(aad(place))
        return new Uint8Array(Buffer.concat([keyId, nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]))
      }
      const open = (place: string, sealed: Uint8Array) => {
        const at = sealed.length - tagLength
        const nonce = sealed.subarray(keyIdLength, keyIdLength + nonceLength)
        const decipher = createDecipheriv(algorithm, secret, nonce, { authTagLength: tagLength })
        decipher.setAAD(aad(place)).setAuthTag(sealed.subarray(at))
        const value = decipher.update(sealed.subarray(keyIdLength + nonceLength, at))
        decipher.final()
        return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      }
      return Effect.succeed(
        Vault.Vault.of({
          seal: (place, value) => Effect.sync(() => seal(place, value)),
          open: (place, sealed) =>
            Effect.try({ try: () => open(place, sealed), catch: () => new Vault.SealBroken({ place }) })
        })
      )
    })
  )
