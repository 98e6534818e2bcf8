/** Subscriptions as nobody would wish them: every state, every set of protocols, and text from whoever may type some. */
import { type ConfigModel, Credential, type Inbound, Instant } from "@vpnmgr/core"
import * as fc from "fast-check"

/** P-256, self-signed, for `hy2.test`. */
const certificate = `-----BEGIN CERTIFICATE-----
MIIBkjCCATigAwIBAgIUaE3uiWpnozcnYv+phbLQcPCWtSQwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIaHkyLnRlc3QwIBcNMjYxMTIyMDQxMTI5WhgPMjEyNjEwMjkw
NDExMjlaMBMxETAPBgNVBAMMCGh5Mi50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE2YKGwE/uvH2WLrbOVfEbyGpEnP+6xnNxyhkWABWf9XTdc39brLaAG8Ti
u2v5joJc/3R/kl/rk25kSBgw2EH/fKNoMGYwHQYDVR0OBBYEFP+eGyYUiAq7VrBb
QJsiHX5wYugNMB8GA1UdIwQYMBaAFP+eGyYUiAq7VrBbQJsiHX5wYugNMA8GA1Ud
EwEB/wQFMAMBAf8wEwYDVR0RBAwwCoIIaHkyLnRlc3QwCgYIKoZIzj0EAwIDSAAw
RQIhAI5+PjqirI5i9gdjyssKY2Wj4w9QX3l7aNVBD0wOwc0YAiAueyh+WkMaLQN4
gMXKnTilEHnUcvmuJK+2TQVAzN65Wg==
-----END CERTIFICATE-----
`

/** Names of the config's own parts, and text that tries to get out of its value. */
export const texts: ReadonlyArray<string> = [
  "",
  " \t ",
  "direct",
  "auto",
  "VPN",
  "tun-in",
  "dns-remote",
  "dns-direct",
  "block",
  "no server yet",
  "direct (2)",
  `"},{"type":"direct","tag":"leak"}]`,
  `it's "quoted" \\ and \\" escaped \\u0022`,
  "two\r\nlines\u0085and\u2028more\u2029still",
  "👩‍👩‍👧‍👦 🇳🇱 \u{10ffff}",
  "\u202eright to left\u202c \u200f\u2066isolated\u2069",
  "{{ 7 * 7 }}{% raw %}{# #}${1}<%= 1 %>",
  "\u0001\u0007\u001b[31m\u007f\u009f",
  "constructor __proto__ prototype",
  "x".repeat(10_000)
]

const text = fc.oneof(fc.constantFrom(...texts), fc.string({ unit: "binary", maxLength: 60 }))

const settings = (protocol: Inbound.Protocol, secret: string, pinned: boolean): Inbound.InboundSettings => {
  switch (protocol) {
    case "vless":
      return {
        protocol,
        privateKey: "aKPvuE3Hq93KFwzixYMaRD_-NGIXvHel3ctClC6FyE0",
        publicKey: "mZngV8AirGDlAPwQOL64q5A-6uv6Yob2lupM1cEgSjE",
        shortId: pinned ? "0123456789abcdef" : "",
        serverName: "www.reality.test",
        handshakeHost: "www.reality.test",
        handshakePort: 443
      }
    case "shadowsocks":
      return { protocol, serverKey: "AAAAAAAAAAAAAAAAAAAAAA==" }
    case "hysteria2":
      return {
        protocol,
        obfsPassword: secret === "" ? null : secret,
        tls: pinned
          ? { mode: "agent", serverName: "hy2.test" }
          : { mode: "files", serverName: "hy2.test", certificatePath: "/c.pem", keyPath: "/k.pem" }
      }
  }
}

interface Place {
  readonly protocol: Inbound.Protocol
  readonly host: string
  readonly port: number
  readonly geo: string | null
  readonly purpose: string | null
  readonly obfs: string
  readonly isPinned: boolean
}

const entryOf = (
  { geo, host, isPinned, obfs, port, protocol, purpose }: Place,
  ref: number
): ConfigModel.ClientEntry => {
  const inbound: Inbound.Inbound = {
    id: `00000000-0000-7000-8000-${String(ref).padStart(12, "0")}`,
    ref,
    nodeId: "00000000-0000-7000-8000-0000000000ff",
    host,
    port,
    listen: "::",
    protocol,
    network: "tcp",
    tls: true,
    geo,
    purpose,
    isActive: true,
    trafficMultiplier: 1000,
    settings: settings(protocol, obfs, isPinned),
    certificate: protocol === "hysteria2" && isPinned ? certificate : null,
    createdAt: 0,
    updatedAt: 0
  }
  const secret = new Uint8Array(Credential.secretLength).fill(ref)
  return { inbound, access: Credential.derive(secret, protocol, inbound.id) }
}

export const protocols = ["vless", "shadowsocks", "hysteria2"] as const

/** What the contract lets a host be. */
const host = fc.oneof(
  fc.constantFrom("vpn.example.org", "203.0.113.7", "2001:db8::7", "::", "-", ".", "a".repeat(253), "256.1.1.1", "1:2"),
  fc.stringMatching(/^[A-Za-z0-9._:-]{1,60}$/)
)

const place: fc.Arbitrary<Place> = fc.record({
  protocol: fc.constantFrom(...protocols),
  host,
  port: fc.oneof(fc.constantFrom(1, 443, 65_535), fc.integer({ min: 1, max: 65_535 })),
  geo: fc.option(text),
  purpose: fc.option(text),
  obfs: text,
  isPinned: fc.boolean()
})

const instant = fc.integer({ min: Date.parse("0000-01-01T00:00:00Z"), max: Instant.latest })

const verdict: fc.Arbitrary<ConfigModel.Profile["verdict"]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ state: "active" as const }) },
  { weight: 1, arbitrary: fc.record({ state: fc.constant("expired" as const), at: instant }) },
  {
    weight: 1,
    arbitrary: fc.record({
      state: fc.constant("over_limit" as const),
      bucket: fc.constantFrom("subscription" as const, "owner" as const),
      until: fc.oneof(instant, fc.constant(Instant.never))
    })
  }
)

/** Any of them. */
export const profile: fc.Arbitrary<ConfigModel.Profile> = fc
  .record({ title: fc.option(text), expiresAt: fc.option(instant), verdict, places: fc.array(place, { maxLength: 6 }) })
  .map(({ places, ...rest }) => ({ ...rest, entries: places.map(entryOf) }))

const plain: Omit<Place, "protocol"> = {
  host: "vpn.example.org",
  port: 443,
  geo: null,
  purpose: null,
  obfs: "",
  isPinned: true
}

const active = { expiresAt: null, verdict: { state: "active" } } as const
const at = Date.UTC(2026, 1, 1)

/** Every state, every set of protocols, and every text as title, place, purpose and password. */
export const edges: ReadonlyArray<readonly [name: string, profile: ConfigModel.Profile]> = [
  ...Array.from({ length: 2 ** protocols.length }, (_, set) => protocols.filter((_, bit) => set & (1 << bit))).map(
    (set) =>
      [
        `active, ${set.join(" and ") || "nothing"}`,
        { ...active, title: "Ada", entries: set.map((protocol, ref) => entryOf({ ...plain, protocol }, ref)) }
      ] as const
  ),
  ...texts.map(
    (text) =>
      [
        `active, ${JSON.stringify(text).slice(0, 40)}`,
        {
          ...active,
          title: text,
          entries: [...protocols, ...protocols].map((protocol, ref) =>
            entryOf({ ...plain, protocol, geo: text, purpose: text, obfs: text, isPinned: ref < 3 }, ref)
          )
        }
      ] as const
  ),
  ...(
    [
      ["expired", { state: "expired", at }],
      ["over limit until", { state: "over_limit", bucket: "subscription", until: at }],
      ["over limit", { state: "over_limit", bucket: "subscription", until: Instant.never }],
      ["provider over limit until", { state: "over_limit", bucket: "owner", until: at }],
      ["provider over limit", { state: "over_limit", bucket: "owner", until: Instant.never }]
    ] as const
  ).map(([name, verdict]) => [name, { title: "Ada", expiresAt: at, verdict, entries: [] }] as const)
]
