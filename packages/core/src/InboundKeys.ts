/** Makes the keys an inbound needs: a REALITY pair and short id, a Shadowsocks 2022 server key, an obfs password. */
import { x25519 } from "@noble/curves/ed25519.js"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { Base64, Base64Url, Hex } from "effect/encoding"
import type { InboundSettings, Protocol } from "./Inbound.ts"

/** What the operator chooses; keys are made. */
export type SettingsDraft =
  | {
      readonly protocol: "vless"
      /** The foreign TLS server whose handshake is shown to strangers. */
      readonly serverName: string
      readonly handshakeHost?: string | undefined
      readonly handshakePort?: number | undefined
    }
  | { readonly protocol: "shadowsocks" }
  | {
      readonly protocol: "hysteria2"
      readonly serverName: string
      /** Both or neither; neither: the agent makes a certificate, which the client's config pins. */
      readonly certificatePath?: string | undefined
      readonly keyPath?: string | undefined
    }

/** Completes a draft with fresh keys: X25519 for REALITY, 8-byte short id, 16-byte Shadowsocks key, 16-byte obfs password. */
export const complete = Effect.fn("InboundKeys.complete")(function* (draft: SettingsDraft) {
  const random = yield* SecureRandom.SecureRandom
  switch (draft.protocol) {
    case "vless": {
      const privateKey = yield* random.randomBytes(32)
      return {
        protocol: draft.protocol,
        privateKey: Base64Url.encode(privateKey),
        publicKey: Base64Url.encode(x25519.getPublicKey(privateKey)),
        shortId: Hex.encode(yield* random.randomBytes(8)),
        serverName: draft.serverName,
        handshakeHost: draft.handshakeHost ?? draft.serverName,
        handshakePort: draft.handshakePort ?? 443
      } satisfies InboundSettings
    }
    case "shadowsocks":
      return {
        protocol: draft.protocol,
        serverKey: Base64.encode(yield* random.randomBytes(16))
      } satisfies InboundSettings
    case "hysteria2":
      return {
        protocol: draft.protocol,
        obfsPassword: Base64Url.encode(yield* random.randomBytes(16)),
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

/** True for the protocols whose inbounds carry TLS of some kind: the seed's `tls`. */
export const hasTls = (protocol: Protocol): boolean => protocol !== "shadowsocks"
