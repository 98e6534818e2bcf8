/**
 * What a data plane knows a subscription by: an opaque number and a random 32-byte secret, given to one subscription
 * once and retired for ever. A spare is a credential the nodes already know and nobody has yet.
 *
 * What a protocol needs is derived per inbound, so that what a node holds opens nothing elsewhere.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { Schema } from "effect"
import { Base64, Base64Url, Hex } from "effect/encoding"
import type { Protocol } from "./Inbound.ts"
import * as Wire from "./Wire.ts"

/** The length of a credential's secret, bytes. */
export const secretLength = 32

/** Opaque; the `17` of `c17`. Says nothing of the subscription. */
export type CredentialRef = number

/** What a user of one protocol at one inbound signs in with. */
export const Access = Schema.Union([
  Wire.struct({ protocol: Schema.Literal("vless"), uuid: Schema.String }),
  Wire.struct({ protocol: Schema.Literal("shadowsocks"), key: Schema.String }),
  Wire.struct({ protocol: Schema.Literal("hysteria2"), password: Schema.String })
])
export type Access = typeof Access.Type

/** Bytes of each; none is longer than one block of the expansion, whose counter is then 1. */
const length: Record<Protocol, number> = { vless: 16, shadowsocks: 16, hysteria2: 24 }

/** The hash's states after the two padded keys of HMAC (RFC 2104), from which every message goes on. */
interface Keyed {
  readonly inner: Sha256
  readonly outer: Sha256
}
type Sha256 = ReturnType<typeof sha256.create>

const padded = (key: Uint8Array, byte: number): Sha256 => {
  const pad = new Uint8Array(sha256.blockLen).fill(byte)
  for (let at = 0; at < key.length; at++) pad[at]! ^= key[at]!
  return sha256.create().update(pad)
}

/** Keys HMAC-SHA-256; a key is no longer than the hash's block. */
const keyed = (key: Uint8Array): Keyed => ({ inner: padded(key, 0x36), outer: padded(key, 0x5c) })

const scratch = sha256.create()

/** HMAC-SHA-256 of a message, into `out`. */
const sign = ({ inner, outer }: Keyed, message: Uint8Array, out: Uint8Array): void => {
  inner._cloneInto(scratch).update(message).digestInto(out)
  outer._cloneInto(scratch).update(out).digestInto(out)
}

/** Extraction without salt begins with a key of zeros. */
const unsalted = keyed(new Uint8Array(sha256.outputLen))
const encoder = new TextEncoder()

/**
 * Derives what the credential signs in with at inbounds: HKDF-SHA-256 (RFC 5869) of the secret, without salt, with info
 * `vpnmgr/1|protocol|inbound id`. Vless: the bytes as a UUIDv8; Shadowsocks 2022: base64 of 16 bytes; Hysteria 2:
 * base64url of 24 bytes.
 *
 * What is the same for every inbound is done once, and states of the hash are copied instead of made: for five inbounds a
 * quarter of the time that five calls of a library's HKDF take (decision 37). A test compares the two.
 */
export const accessOf = (secret: Uint8Array): ((protocol: Protocol, inboundId: string) => Access) => {
  const block = new Uint8Array(sha256.outputLen)
  sign(unsalted, secret, block)
  const expanding = keyed(block)
  return (protocol, inboundId) => {
    sign(expanding, encoder.encode(`vpnmgr/1|${protocol}|${inboundId}\u0001`), block)
    const bytes = block.subarray(0, length[protocol])
    switch (protocol) {
      case "vless":
        return { protocol, uuid: uuidV8(bytes) }
      case "shadowsocks":
        return { protocol, key: Base64.encode(bytes) }
      case "hysteria2":
        return { protocol, password: Base64Url.encode(bytes) }
    }
  }
}

/** The same for one inbound. */
export const derive = (secret: Uint8Array, protocol: Protocol, inboundId: string): Access =>
  accessOf(secret)(protocol, inboundId)

/** RFC 9562, 5.8: custom bytes with version 8 and the usual variant. */
const uuidV8 = (bytes: Uint8Array): string => {
  const copy = Uint8Array.from(bytes)
  copy[6] = (copy[6]! & 0x0f) | 0x80
  copy[8] = (copy[8]! & 0x3f) | 0x80
  const hex = Hex.encode(copy)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
