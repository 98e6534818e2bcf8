/**
 * What a person may say of an inbound's settings, and what becomes of it. Plain rules: keys are made by `InboundKeys`.
 *
 * A field that the protocol has not, or one of a pair without the other, is refused by its wire name, never ignored.
 */
import { Invalid } from "./Failure.ts"
import { isDomain } from "./Host.ts"
import type { Inbound, InboundSettings } from "./Inbound.ts"

/** What is chosen for a new inbound; keys are made. */
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

/** What of the settings can be changed without new keys; what is absent stays. */
export interface SettingsPatch {
  readonly serverName?: string | undefined
  readonly handshakeHost?: string | undefined
  readonly handshakePort?: number | undefined
  /** Null, both of them: the agent makes a certificate. */
  readonly certificatePath?: string | null | undefined
  readonly keyPath?: string | null | undefined
}

const fieldsOf: Record<InboundSettings["protocol"], ReadonlyArray<readonly [keyof SettingsPatch, string]>> = {
  vless: [
    ["certificatePath", "settings.certificate_path"],
    ["keyPath", "settings.key_path"]
  ],
  shadowsocks: [
    ["serverName", "settings.server_name"],
    ["handshakeHost", "settings.handshake_host"],
    ["handshakePort", "settings.handshake_port"],
    ["certificatePath", "settings.certificate_path"],
    ["keyPath", "settings.key_path"]
  ],
  hysteria2: [
    ["handshakeHost", "settings.handshake_host"],
    ["handshakePort", "settings.handshake_port"]
  ]
}

/** One of a certificate and its key without the other; undefined when both or neither are there. */
const halfPair = (files: Pick<SettingsPatch, "certificatePath" | "keyPath">): Invalid | undefined => {
  const [certificate, key] = [files.certificatePath ?? null, files.keyPath ?? null]
  if ((certificate === null) === (key === null)) return undefined
  const [field, other] = certificate === null ? ["certificate_path", "key_path"] : ["key_path", "certificate_path"]
  return new Invalid({ field: `settings.${field}`, detail: `Expected together with ${other}` })
}

/** REALITY shows strangers a foreign server by its name: an address has none. */
const nameless = (serverName: string): Invalid | undefined =>
  isDomain(serverName)
    ? undefined
    : new Invalid({ field: "settings.server_name", detail: "Expected a domain name, such as www.example.com" })

/** What is wrong with a draft; undefined when nothing is. */
export const objection = (draft: SettingsDraft): Invalid | undefined =>
  draft.protocol === "hysteria2" ? halfPair(draft) : draft.protocol === "vless" ? nameless(draft.serverName) : undefined

/** Lays a patch over settings; answers what is wrong with it instead. Keys stay. */
export const patched = (settings: InboundSettings, patch: SettingsPatch): InboundSettings | Invalid => {
  const foreign = fieldsOf[settings.protocol].find(([key]) => patch[key] !== undefined)
  if (foreign !== undefined)
    return new Invalid({ field: foreign[1], detail: `A ${settings.protocol} inbound has no such setting` })
  switch (settings.protocol) {
    case "shadowsocks":
      return settings
    case "vless":
      return (
        (patch.serverName === undefined ? undefined : nameless(patch.serverName)) ?? {
          ...settings,
          serverName: patch.serverName ?? settings.serverName,
          handshakeHost: patch.handshakeHost ?? settings.handshakeHost,
          handshakePort: patch.handshakePort ?? settings.handshakePort
        }
      )
    case "hysteria2": {
      const { tls } = settings
      const before = tls.mode === "files" ? tls : { certificatePath: null, keyPath: null }
      const serverName = patch.serverName ?? tls.serverName
      const { certificatePath = before.certificatePath, keyPath = before.keyPath } = patch
      const half = halfPair({ certificatePath, keyPath })
      if (half !== undefined) return half
      return certificatePath === null || keyPath === null
        ? { ...settings, tls: { mode: "agent", serverName } }
        : { ...settings, tls: { mode: "files", serverName, certificatePath, keyPath } }
    }
  }
}

/** True while the certificate that an agent made still goes with the settings. */
export const keepsCertificate = (before: InboundSettings, after: InboundSettings): boolean =>
  before.protocol === "hysteria2" &&
  after.protocol === "hysteria2" &&
  before.tls.mode === "agent" &&
  after.tls.mode === "agent" &&
  before.tls.serverName === after.tls.serverName

/** True when a config that was fetched before the change does not open the inbound after it. */
export const outdatesConfigs = (before: Inbound, after: Inbound): boolean => {
  const shown = ({ host, port, settings, certificate }: Inbound) =>
    JSON.stringify([host, port, known(settings), certificate])
  return shown(before) !== shown(after)
}

/** What of the settings stands in a client's config, or follows from it. */
const known = (settings: InboundSettings) => {
  switch (settings.protocol) {
    case "vless":
      return [settings.publicKey, settings.shortId, settings.serverName]
    case "shadowsocks":
      return [settings.serverKey]
    case "hysteria2":
      return [settings.obfsPassword, settings.tls.serverName, settings.tls.mode]
  }
}
