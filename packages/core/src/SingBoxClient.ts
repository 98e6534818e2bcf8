/**
 * The config a person's sing-box runs: everything through the tunnel, the best of their inbounds chosen by a test, or
 * by hand. And the stub for whoever may not pass, which carries nothing and says why.
 *
 * Values go in as values, whatever was typed; nothing here builds JSON out of text.
 */
import type { ClientEntry, ClientProfile } from "./ClientConfig.ts"
import { isServable } from "./Inbound.ts"
import * as Instant from "./Instant.ts"
import type { Outbound, SingBoxConfig } from "./SingBoxConfig.ts"
import type { Verdict } from "./Verdict.ts"

/** Why a config carries nothing. */
export type StubReason = Extract<Verdict, { state: "expired" | "over_limit" }> | { readonly state: "no_servers" }

const directTag = "direct"
const autoTag = "auto"
const fallbackTitle = "VPN"
const maxTag = 80

const tun = {
  type: "tun",
  tag: "tun-in",
  address: ["172.19.0.1/30", "fdfe:dcba:9876::1/126"],
  mtu: 9000,
  auto_route: true,
  strict_route: true,
  stack: "mixed"
}

/** Hands out tags: cut to a readable length, made unique with a number. */
const tags = (...taken: ReadonlyArray<string>) => {
  const used = new Set(taken)
  return (wish: string): string => {
    const base = Array.from(wish.replace(/\s+/gu, " ").trim()).slice(0, maxTag).join("") || fallbackTitle
    let tag = base
    for (let n = 2; used.has(tag); n++) tag = `${base} (${n})`
    used.add(tag)
    return tag
  }
}

const label = ({ inbound }: ClientEntry): string =>
  [inbound.geo ?? inbound.host, inbound.purpose, inbound.protocol]
    .filter((part) => part !== null && part !== "")
    .join(" ")

const outbound = ({ access, inbound }: ClientEntry, tag: string): ReadonlyArray<Outbound> => {
  const server = { tag, server: inbound.host, server_port: inbound.port }
  const { settings } = inbound
  if (settings.protocol === "vless" && access.protocol === "vless") {
    return [
      {
        type: "vless",
        ...server,
        uuid: access.uuid,
        flow: "xtls-rprx-vision",
        packet_encoding: "xudp",
        tls: {
          enabled: true,
          server_name: settings.serverName,
          utls: { enabled: true, fingerprint: "chrome" },
          reality: { enabled: true, public_key: settings.publicKey, short_id: settings.shortId }
        }
      }
    ]
  }
  if (settings.protocol === "shadowsocks" && access.protocol === "shadowsocks") {
    return [
      {
        type: "shadowsocks",
        ...server,
        method: "2022-blake3-aes-128-gcm",
        password: `${settings.serverKey}:${access.key}`
      }
    ]
  }
  if (settings.protocol === "hysteria2" && access.protocol === "hysteria2") {
    const pinned = settings.tls.mode === "agent" ? inbound.certificate : null
    return [
      {
        type: "hysteria2",
        ...server,
        password: access.password,
        ...(settings.obfsPassword === null ? {} : { obfs: { type: "salamander", password: settings.obfsPassword } }),
        tls: {
          enabled: true,
          server_name: settings.tls.serverName,
          alpn: ["h3"],
          ...(pinned === null ? {} : { certificate: pinned.trim().split(/\r?\n/) })
        }
      }
    ]
  }
  return []
}

/**
 * Renders a full config. Entries whose inbound cannot be served yet, or whose access is of another protocol, are left
 * out; when none remains the stub says so.
 */
export const render = (profile: ClientProfile): SingBoxConfig => {
  const unique = tags(directTag, autoTag)
  const choice = unique(profile.title)
  const ways = profile.entries
    .filter(({ inbound }) => isServable(inbound))
    .flatMap((entry) => (entry.access.protocol === entry.inbound.protocol ? outbound(entry, unique(label(entry))) : []))
  const [first, ...others] = ways.map(({ tag }) => tag)
  if (first === undefined) return stub({ state: "no_servers" })
  return {
    log: { level: "warn", timestamp: true },
    dns: {
      servers: [
        { type: "https", tag: "dns-remote", server: "1.1.1.1", detour: choice },
        { type: "local", tag: "dns-direct" }
      ],
      rules: [
        { domain_suffix: [".lan", ".local"], action: "route", server: "dns-direct" },
        { query_type: ["HTTPS", "SVCB"], action: "predefined", rcode: "NOERROR" }
      ],
      final: "dns-remote",
      strategy: "prefer_ipv4"
    },
    inbounds: [tun],
    outbounds: [
      {
        type: "selector",
        tag: choice,
        outbounds: [autoTag, first, ...others],
        default: autoTag,
        interrupt_exist_connections: true
      },
      {
        type: "urltest",
        tag: autoTag,
        outbounds: [first, ...others],
        url: "https://www.gstatic.com/generate_204",
        interval: "10m",
        tolerance: 50,
        idle_timeout: "30m"
      },
      ...ways,
      { type: "direct", tag: directTag }
    ],
    route: {
      rules: [
        { action: "sniff" },
        { type: "logical", mode: "or", rules: [{ protocol: "dns" }, { port: 53 }], action: "hijack-dns" },
        { ip_is_private: true, action: "route", outbound: directTag }
      ],
      final: choice,
      auto_detect_interface: true,
      default_domain_resolver: { server: "dns-direct" }
    }
  }
}

/** As a person reads it: to the minute, to the second where that matters, in UTC. */
const moment = (instant: Instant.Instant): string =>
  `${Instant.format(instant)
    .replace("T", " ")
    .replace(/(:00)?\.\d+Z$/, "")} UTC`

/**
 * What a stub's tag says to the person whose app shows it: what happened, whose traffic it is that is used up (the
 * subscription's own, or its provider's allowance), and until when where it ends by itself.
 */
export const stubTag = (reason: StubReason): string => {
  switch (reason.state) {
    case "expired":
      return `expired on ${moment(reason.at)}`
    case "over_limit":
      return [
        reason.bucket === "subscription" ? "over limit" : "provider over limit",
        ...(reason.until === Instant.never ? [] : [`until ${moment(reason.until)}`])
      ].join(" ")
    case "no_servers":
      return "no server yet"
  }
}

/** Renders a valid config that carries nothing: every connection and every name is refused. */
export const stub = (reason: StubReason): SingBoxConfig => {
  const tag = stubTag(reason)
  return {
    log: { level: "warn", timestamp: true },
    dns: { servers: [{ type: "local", tag: "dns-direct" }], rules: [{ action: "reject" }], final: "dns-direct" },
    inbounds: [tun],
    outbounds: [
      { type: "selector", tag: fallbackTitle, outbounds: [tag], default: tag },
      { type: "block", tag }
    ],
    route: {
      rules: [
        { type: "logical", mode: "or", rules: [{ protocol: "dns" }, { port: 53 }], action: "hijack-dns" },
        { action: "reject" }
      ],
      final: fallbackTitle,
      auto_detect_interface: true,
      default_domain_resolver: { server: "dns-direct" }
    }
  }
}
