/** Inbounds and a serving with typed text that tries to get out of its value. */
import { Credential, type Inbound, type Serving } from "../src/index.ts"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

export const nasty = `"},{"type":"direct","tag":"leak"}]\n\u0000 \\" 😀 {{ 7*7 }} ${"x".repeat(200)}`

const settings: Record<Inbound.Protocol, Inbound.InboundSettings> = {
  vless: {
    protocol: "vless",
    privateKey: "aKPvuE3Hq93KFwzixYMaRD_-NGIXvHel3ctClC6FyE0",
    publicKey: "mZngV8AirGDlAPwQOL64q5A-6uv6Yob2lupM1cEgSjE",
    shortId: "0123456789abcdef",
    serverName: "www.reality.test",
    handshakeHost: "127.0.0.1",
    handshakePort: 18443
  },
  shadowsocks: { protocol: "shadowsocks", serverKey: "AAAAAAAAAAAAAAAAAAAAAA==" },
  hysteria2: { protocol: "hysteria2", obfsPassword: nasty, tls: { mode: "agent", serverName: "hy2.test" } }
}

const protocols = ["vless", "shadowsocks", "hysteria2"] as const

/** P-256, self-signed, for `hy2.test`. */
export const certificate = `-----BEGIN CERTIFICATE-----
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

/** The key of `certificate`; opens nothing. */
export const certificateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgc3L2tOCfZc1sDILk
7ECS3YYPl5qSQyJUww1dhBVZuf+hRANCAATZgobAT+68fZYuts5V8RvIakSc/7rG
c3HKGRYAFZ/1dN1zf1ustoAbxOK7a/mOglz/dH+SX+uTbmRIGDDYQf98
-----END PRIVATE KEY-----
`

export const inbound = (ref: number, protocol: Inbound.Protocol): Inbound.Inbound => ({
  id: `00000000-0000-7000-8000-00000000000${ref}`,
  ref,
  nodeId: "00000000-0000-7000-8000-0000000000ff",
  host: "127.0.0.1",
  port: 20000 + ref,
  listen: "127.0.0.1",
  protocol,
  network: "tcp",
  tls: true,
  geo: null,
  purpose: nasty,
  isActive: true,
  trafficMultiplier: 1000,
  settings: settings[protocol],
  certificate: protocol === "hysteria2" ? certificate : null,
  createdAt: 0,
  updatedAt: 0
})

export const inbounds = protocols.map((protocol, index) => inbound(index + 1, protocol))

const secret = (ref: number) => new Uint8Array(Credential.secretLength).fill(ref)

export const access = (ref: number, { id, protocol }: Inbound.Inbound): Credential.Access =>
  Credential.derive(secret(ref), protocol, id)

export const credential = (ref: number, ...open: ReadonlyArray<number>): Serving.ServedCredential => ({
  ref,
  access: new Map(inbounds.map((inbound) => [inbound.ref, access(ref, inbound)])),
  open: new Set(open)
})

export const versions = ["1.12.12", "1.13.14", "1.14.1"] as const

const cache = process.env.VPNMGR_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "vpnmgr")

/** Where the binary of a version lies; `undefined` when it is not there, which in CI is a failure. */
export const binary = (version: string): string | undefined => {
  const path = join(cache, "sing-box", version, "sing-box")
  if (existsSync(path)) return path
  if (process.env.CI) throw new Error(`sing-box ${version} is missing: run scripts/install-sing-box.sh ${version}`)
  return undefined
}
