/**
 * Names how configs are rendered: a run that was started by other rules is not adopted as it is, however well it knows
 * everybody. Made of a config itself, so that nobody has to remember to count a version up.
 */
import type { Inbound, Serving } from "@vpnmgr/core"
import { SingBoxServer } from "@vpnmgr/core"
import { createHash } from "node:crypto"

const settings: ReadonlyArray<Inbound.InboundSettings> = [
  {
    protocol: "vless",
    privateKey: "k",
    publicKey: "p",
    shortId: "00",
    serverName: "a.test",
    handshakeHost: "b.test",
    handshakePort: 443
  },
  { protocol: "shadowsocks", serverKey: "k" },
  { protocol: "hysteria2", obfsPassword: "o", tls: { mode: "agent", serverName: "a.test" } },
  {
    protocol: "hysteria2",
    obfsPassword: null,
    tls: { mode: "files", serverName: "a.test", certificatePath: "/c", keyPath: "/k" }
  }
]

const inbounds = settings.map((settings, index): Inbound.NodeInbound => ({
  ref: index + 1,
  id: `00000000-0000-7000-8000-00000000000${index + 1}`,
  listen: "::",
  port: index + 1,
  isActive: true,
  trafficMultiplier: 1000,
  settings
}))

const access = new Map(
  inbounds.map(({ ref, settings: { protocol } }) => [
    ref,
    protocol === "vless"
      ? { protocol, uuid: "u" }
      : protocol === "shadowsocks"
        ? { protocol, key: "k" }
        : { protocol, password: "p" }
  ])
)

/** One of everything, somebody who may pass and somebody who may not. */
const sample: Serving.Serving = {
  inbounds,
  credentials: [
    { ref: 1, access, open: new Set(inbounds.map(({ ref }) => ref)) },
    { ref: 2, access, open: new Set() }
  ]
}

/** The name of what is rendered with these choices: the same for the same rules, whatever the node serves. */
export const nameOf = (choices: Pick<SingBoxServer.NodeOptions, "manyPeerUdp">): string => {
  const files = new Map(inbounds.map(({ ref }) => [ref, { certificatePath: "/c", keyPath: "/k" }]))
  const config = SingBoxServer.render(sample, {
    ...choices,
    epoch: "e",
    stats: "127.0.0.1:1",
    control: "127.0.0.1:2",
    secret: "s",
    certificates: files
  })
  return createHash("sha256").update(JSON.stringify(config)).digest("base64url").slice(0, 22)
}
