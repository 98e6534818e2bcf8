/**
 * The config a person's sing-box runs: everything through the tunnel, the best of their inbounds chosen by a test, or
 * by hand. And the stub for whoever may not pass, which carries nothing and says why.
 *
 * Values go in as values, whatever was typed; nothing here builds JSON out of text.
 */
import type { ConfigModel, Entry } from "./ConfigModel.ts"
import { untitled } from "./ConfigModel.ts"
import type { Outbound, SingBoxConfig } from "./SingBoxConfig.ts"

const tun = {
  type: "tun",
  tag: "tun-in",
  address: ["172.19.0.1/30", "fdfe:dcba:9876::1/126"],
  mtu: 9000,
  auto_route: true,
  strict_route: true,
  stack: "mixed"
}

const outbound = (entry: Entry): Outbound => {
  const server = { type: entry.protocol, tag: entry.tag, server: entry.server, server_port: entry.serverPort }
  switch (entry.protocol) {
    case "vless":
      return {
        ...server,
        type: "vless",
        uuid: entry.uuid,
        flow: "xtls-rprx-vision",
        packet_encoding: "xudp",
        tls: {
          enabled: true,
          server_name: entry.serverName,
          utls: { enabled: true, fingerprint: "chrome" },
          reality: { enabled: true, public_key: entry.publicKey, short_id: entry.shortId }
        }
      }
    case "shadowsocks":
      return { ...server, type: "shadowsocks", method: entry.method, password: entry.password }
    case "hysteria2":
      return {
        ...server,
        type: "hysteria2",
        password: entry.password,
        ...(entry.obfsPassword === null ? {} : { obfs: { type: "salamander", password: entry.obfsPassword } }),
        tls: {
          enabled: true,
          server_name: entry.serverName,
          alpn: ["h3"],
          ...(entry.certificate === null ? {} : { certificate: entry.certificate })
        }
      }
  }
}

/** Renders a model: a full config, or a stub when it has no entries. */
export const render = ({ auto, choice, direct, entries, reason }: ConfigModel): SingBoxConfig => {
  const [first, ...others] = entries.map(({ tag }) => tag)
  if (first === undefined) return stub(reason ?? untitled)
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
        outbounds: [auto, first, ...others],
        default: auto,
        interrupt_exist_connections: true
      },
      {
        type: "urltest",
        tag: auto,
        outbounds: [first, ...others],
        url: "https://www.gstatic.com/generate_204",
        interval: "10m",
        tolerance: 50,
        idle_timeout: "30m"
      },
      ...entries.map(outbound),
      { type: "direct", tag: direct }
    ],
    route: {
      rules: [
        { action: "sniff" },
        { type: "logical", mode: "or", rules: [{ protocol: "dns" }, { port: 53 }], action: "hijack-dns" },
        { ip_is_private: true, action: "route", outbound: direct }
      ],
      final: choice,
      auto_detect_interface: true,
      default_domain_resolver: { server: "dns-direct" }
    }
  }
}

/** Renders a valid config that carries nothing, every connection and every name refused; its one way is called `reason`. */
const stub = (reason: string): SingBoxConfig => ({
  log: { level: "warn", timestamp: true },
  dns: { servers: [{ type: "local", tag: "dns-direct" }], rules: [{ action: "reject" }], final: "dns-direct" },
  inbounds: [tun],
  outbounds: [
    { type: "selector", tag: untitled, outbounds: [reason], default: reason },
    { type: "block", tag: reason }
  ],
  route: {
    rules: [
      { type: "logical", mode: "or", rules: [{ protocol: "dns" }, { port: 53 }], action: "hijack-dns" },
      { action: "reject" }
    ],
    final: untitled,
    auto_detect_interface: true,
    default_domain_resolver: { server: "dns-direct" }
  }
})
