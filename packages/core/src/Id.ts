/** Identifiers: UUIDv7 (RFC 9562), lower case. A UUIDv7 shows its creation time; its other 74 bits are random. */
import { Effect, Schema } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Instant } from "./Instant.ts"
import * as Instants from "./Instant.ts"

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** A UUID in lower case; what is answered is always version 7. */
export const Uuid = Schema.String.pipe(
  Schema.check(Schema.isPattern(pattern, { message: "Expected a lower-case UUID" }))
).annotate({ format: "uuid" })

/** True for a lower-case UUID. */
export const isUuid = (text: string): boolean => pattern.test(text)

/** The actor of what the system does by itself. */
export const system = "00000000-0000-7000-8000-000000000000"

/** Composes a UUIDv7 from an instant and 10 random bytes (RFC 9562, 5.7); 74 of their bits are used. */
export const v7 = (at: Instant, random: Uint8Array): string => {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(at / 2 ** 32))
  view.setUint32(2, at % 2 ** 32)
  bytes.set(random.subarray(0, 10), 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Before every UUIDv7 of an instant, and after those of earlier ones. Before 1970 it is that of 1970. */
export const lowest = (at: Instant): string => v7(Math.max(0, Math.floor(at)), new Uint8Array(10))

/** A new UUIDv7 of an instant. */
export const makeAt = Effect.fnUntraced(function* (at: Instant) {
  const random = yield* SecureRandom.SecureRandom
  return v7(at, yield* random.randomBytes(10))
})

/** A new UUIDv7 at the current instant. */
export const make = Effect.flatMap(Instants.now, makeAt)
