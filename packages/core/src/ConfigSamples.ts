/** Models that a template is tried on before it serves: every state, every protocol, and text that nobody should trust. */
import type { ConfigModel, Entry } from "./ConfigModel.ts"

const at = Date.UTC(2026, 1, 1)

/** Ends a JSON string, an object and a line; looks like a template; is written from right to left. */
const hostile = `"},{"type":"direct","tag":"leak"}]\\ {{ 7 * 7 }} {% if %}\n\r\t\u2028\u202e 😀 '`

const way = { server: "vpn.example.org", serverPort: 443, geo: "NL", purpose: "streaming" }

const vless: Entry = {
  ...way,
  tag: "NL streaming vless",
  protocol: "vless",
  uuid: "00000000-0000-8000-8000-000000000000",
  serverName: "www.example.org",
  publicKey: "mZngV8AirGDlAPwQOL64q5A-6uv6Yob2lupM1cEgSjE",
  shortId: "0123456789abcdef"
}

const shadowsocks: Entry = {
  ...way,
  tag: "NL streaming shadowsocks",
  protocol: "shadowsocks",
  method: "2022-blake3-aes-128-gcm",
  password: "AAAAAAAAAAAAAAAAAAAAAA==:AAAAAAAAAAAAAAAAAAAAAA=="
}

const hysteria2: Entry = {
  ...way,
  tag: "NL streaming hysteria2",
  protocol: "hysteria2",
  password: "password",
  obfsPassword: null,
  serverName: "node.example.org",
  certificate: ["-----BEGIN CERTIFICATE-----", "MIIB", "-----END CERTIFICATE-----"]
}

const active: ConfigModel = {
  title: "Ada's phone",
  state: "active",
  reason: null,
  until: null,
  expiresAt: null,
  choice: "Ada's phone",
  auto: "auto",
  direct: "direct",
  entries: [vless, shadowsocks, hysteria2]
}

const stub = (state: ConfigModel["state"], reason: string, until: number | null = null): ConfigModel => ({
  ...active,
  state,
  reason,
  until,
  expiresAt: at,
  entries: []
})

const hostileEntry: Entry = {
  ...hysteria2,
  tag: hostile,
  geo: hostile,
  purpose: hostile,
  obfsPassword: hostile,
  certificate: null
}

/** The samples by name. */
export const samples: ReadonlyArray<readonly [name: string, model: ConfigModel]> = [
  ["active, every protocol", active],
  ["active, vless", { ...active, entries: [vless] }],
  [
    "active, shadowsocks without place or purpose",
    { ...active, entries: [{ ...shadowsocks, geo: null, purpose: null }] }
  ],
  ["active, hysteria2", { ...active, expiresAt: at, entries: [hysteria2] }],
  [
    "active, a title and a tag that try to get out",
    { ...active, title: hostile, choice: "x", entries: [hostileEntry] }
  ],
  ["active, a choice that tries to get out", { ...active, choice: `${hostile} ` }],
  ["over limit until a day", stub("over_limit", "over limit until 2026-02-01 00:00 UTC", at)],
  ["over limit for good", stub("over_limit", "provider over limit")],
  ["expired", stub("expired", "expired on 2026-02-01 00:00 UTC")],
  ["no server yet", stub("no_servers", "no server yet")]
]
