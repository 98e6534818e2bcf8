/**
 * What a data plane knows a subscription by: an opaque number and a random 32-byte secret, given to one subscription
 * once and retired for ever. A spare is a credential the nodes already know and nobody has yet.
 *
 * What a protocol needs is derived per inbound, so that what a node holds opens nothing elsewhere.
 */
import { hkdf } from "@noble/hashes/hkdf.js"
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

const length: Record<Protocol, number> = { vless: 16, shadowsocks: 16, hysteria2: 24 }

/**
 * Derives what the credential signs in with at one inbound: HKDF-SHA-256 (RFC 5869) of the secret, without salt, with
 * info `vpnmgr/1|protocol|inbound id`. Vless: the bytes as a UUIDv8; Shadowsocks 2022: base64 of 16 bytes; Hysteria 2:
 * base64url of 24 bytes.
 */
export const derive = (secret: Uint8Array, protocol: Protocol, inboundId: string): Access => {
  const info = new TextEncoder().encode(`vpnmgr/1|${protocol}|${inboundId}`)
  const bytes = hkdf(sha256, secret, undefined, info, length[protocol])
  switch (protocol) {
    case "vless":
      return { protocol, uuid: uuidV8(bytes) }
    case "shadowsocks":
      return { protocol, key: Base64.encode(bytes) }
    case "hysteria2":
      return { protocol, password: Base64Url.encode(bytes) }
  }
}

/** RFC 9562, 5.8: custom bytes with version 8 and the usual variant. */
const uuidV8 = (bytes: Uint8Array): string => {
  const copy = Uint8Array.from(bytes)
  copy[6] = (copy[6]! & 0x0f) | 0x80
  copy[8] = (copy[8]! & 0x3f) | 0x80
  const hex = Hex.encode(copy)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
