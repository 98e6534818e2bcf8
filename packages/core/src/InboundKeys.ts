/** Makes the keys an inbound needs: a REALITY pair and short id, a Shadowsocks 2022 server key, an obfs password. */
import { x25519 } from "@noble/curves/ed25519.js"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64, Base64Url, Hex } from "effect/encoding"
import type { InboundSettings, Protocol } from "./Inbound.ts"
import type { SettingsDraft } from "./InboundDraft.ts"

const reality = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  const privateKey = yield* random.randomBytes(32)
  return {
    privateKey: Base64Url.encode(privateKey),
    publicKey: Base64Url.encode(x25519.getPublicKey(privateKey)),
    shortId: Hex.encode(yield* random.randomBytes(8))
  }
})

const serverKey = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return Base64.encode(yield* random.randomBytes(16))
})

const obfsPassword = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  return Base64Url.encode(yield* random.randomBytes(16))
})

/** Completes a draft with fresh keys: X25519 for REALITY, 8-byte short id, 16-byte Shadowsocks key, 16-byte obfs password. */
export const complete = Effect.fn("InboundKeys.complete")(function* (draft: SettingsDraft) {
  switch (draft.protocol) {
    case "vless":
      return {
        protocol: draft.protocol,
        ...(yield* reality),
        serverName: draft.serverName,
        handshakeHost: draft.handshakeHost ?? draft.serverName,
        handshakePort: draft.handshakePort ?? 443
      } satisfies InboundSettings
    case "shadowsocks":
      return { protocol: draft.protocol, serverKey: yield* serverKey } satisfies InboundSettings
    case "hysteria2":
      return {
        protocol: draft.protocol,
        obfsPassword: yield* obfsPassword,
        tls:
          draft.certificatePath !== undefined && draft.keyPath !== undefined
            ? {
                mode: "files",
                serverName: draft.serverName,
                certificatePath: draft.certificatePath,
                keyPath: draft.keyPath
              }
            : { mode: "agent", serverName: draft.serverName }
      } satisfies InboundSettings
  }
})

/** Replaces every key that was made by fresh ones; what was chosen stays. */
export const rotate = Effect.fn("InboundKeys.rotate")(function* (settings: InboundSettings) {
  switch (settings.protocol) {
    case "vless":
      return { ...settings, ...(yield* reality) } satisfies InboundSettings
    case "shadowsocks":
      return { ...settings, serverKey: yield* serverKey } satisfies InboundSettings
    case "hysteria2":
      return { ...settings, obfsPassword: yield* obfsPassword } satisfies InboundSettings
  }
})

/** True for the protocols whose inbounds carry TLS of some kind: the seed's `tls`. */
export const hasTls = (protocol: Protocol): boolean => protocol !== "shadowsocks"
