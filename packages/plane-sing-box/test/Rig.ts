/** A node with one inbound per protocol, credentials for it, and everything around it; all on loopback. */
import { Credential, type Inbound, type Serving } from "@vpnmgr/core"
import { mkdtempSync, rmSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SingBoxPlane } from "../src/index.ts"
import { Effect } from "effect"
import * as Origin from "./Origin.ts"
import * as Tunnel from "./Tunnel.ts"

export const protocols: ReadonlyArray<Inbound.Protocol> = ["vless", "shadowsocks", "hysteria2"]

const settingsOf = (protocol: Inbound.Protocol, foreign: number): Inbound.InboundSettings => {
  switch (protocol) {
    case "vless":
      return {
        protocol,
        privateKey: "aKPvuE3Hq93KFwzixYMaRD_-NGIXvHel3ctClC6FyE0",
        publicKey: "mZngV8AirGDlAPwQOL64q5A-6uv6Yob2lupM1cEgSjE",
        shortId: "0123456789abcdef",
        serverName: "www.reality.test",
        handshakeHost: "127.0.0.1",
        handshakePort: foreign
      }
    case "shadowsocks":
      return { protocol, serverKey: "AAAAAAAAAAAAAAAAAAAAAA==" }
    case "hysteria2":
      return { protocol, obfsPassword: "obfs-pw", tls: { mode: "agent", serverName: "vpn.test" } }
  }
}

export interface Rig {
  readonly directory: string
  readonly origin: Origin.Origin
  /** One per protocol, `ref` 1, 2, … in their order. */
  readonly inbounds: ReadonlyArray<Inbound.Inbound>
  /** A serving of these inbounds. */
  readonly serving: (...credentials: ReadonlyArray<Serving.ServedCredential>) => Serving.Serving
  /** A credential and the inbounds it may pass. */
  readonly credential: (ref: number, ...open: ReadonlyArray<number>) => Serving.ServedCredential
  /** A new client that signs in as the credential, and pins the certificate if the agent made one. */
  readonly client: (binary: string, ref: number, inbound: number) => Promise<Tunnel.Tunnel>
  readonly close: () => Promise<void>
}

export const start = async (own: ReadonlyArray<Inbound.Protocol> = protocols): Promise<Rig> => {
  const [origin, foreign] = await Promise.all([Origin.start(), Origin.startForeign("www.reality.test")])
  const directory = mkdtempSync(join(tmpdir(), "plane-"))
  const tunnels: Array<Tunnel.Tunnel> = []
  const inbounds = await Promise.all(
    own.map(async (protocol, index): Promise<Inbound.Inbound> => ({
      id: `00000000-0000-7000-8000-00000000000${index + 1}`,
      ref: index + 1,
      nodeId: "00000000-0000-7000-8000-0000000000ff",
      host: "127.0.0.1",
      port: await Tunnel.freePort(),
      listen: "127.0.0.1",
      protocol,
      network: "tcp",
      tls: true,
      geo: null,
      purpose: null,
      isActive: true,
      trafficMultiplier: 1000,
      settings: settingsOf(protocol, foreign.port),
      certificate: null,
      createdAt: 0,
      updatedAt: 0
    }))
  )
  const access = (ref: number, { id, protocol }: Inbound.Inbound) =>
    Credential.derive(new Uint8Array(Credential.secretLength).fill(ref), protocol, id)
  return {
    directory,
    origin,
    inbounds,
    serving: (...credentials) => ({ inbounds, credentials }),
    credential: (ref, ...open) => ({
      ref,
      access: new Map(inbounds.map((inbound) => [inbound.ref, access(ref, inbound)])),
      open: new Set(open)
    }),
    client: async (binary, ref, inbound) => {
      const own = inbounds.find((own) => own.ref === inbound)!
      const certificate = await readFile(join(directory, `certificate-${inbound}.pem`), "utf8").catch(() => null)
      const entry = { inbound: { ...own, certificate }, access: access(ref, own) }
      const tunnel = await Tunnel.start(binary, entry)
      tunnels.push(tunnel)
      return tunnel
    },
    close: async () => {
      await Promise.all(tunnels.map((tunnel) => tunnel.close()))
      await Effect.runPromise(SingBoxPlane.stop(directory))
      origin.close()
      foreign.close()
      rmSync(directory, { recursive: true, force: true })
    }
  }
}
