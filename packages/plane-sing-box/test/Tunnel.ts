/** A person's sing-box with the config they would get, a local SOCKS port in place of the tun device. */
import { ConfigModel, SingBoxClient } from "@vpnmgr/core"
import { spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Origin from "./Origin.ts"

/** Files run side by side in one network, so each worker has ports of its own, all below those of outgoing connections. */
const width = 1000
const first = 10_000 + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 20) * width
let given = randomInt(width)

/** A port that no other worker is given; the next one each time. */
export const freePort = async (): Promise<number> => {
  while (true) {
    const port = first + (given++ % width)
    const server = createServer().listen(port, "127.0.0.1")
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false)
    ])
    server.close()
    if (isFree) return port
  }
}

/** One connection through the tunnel. */
export interface Flow {
  /** Bytes written by the client. */
  readonly sent: number
  /** Bytes that have arrived at the client. */
  received: number
  /** True once the connection is over. */
  over: boolean
  /** When it was over, ms. */
  overAt: number
  /** Resolves with the bytes received, however it ended. */
  readonly end: Promise<number>
  readonly close: () => void
}

export interface Tunnel {
  /** Asks the origin for bytes; 0 per second = as fast as it goes. */
  readonly download: (port: number, bytes: number, perSecond?: number, host?: string) => Promise<Flow>
  /** Gives the origin bytes. */
  readonly upload: (port: number, bytes: number) => Promise<Flow>
  /** The SOCKS port. */
  readonly port: number
  readonly close: () => Promise<void>
}

const address = (host: string, port: number) => {
  const target = /^[\d.]+$/.test(host) ? [1, ...host.split(".").map(Number)] : [3, host.length, ...Buffer.from(host)]
  return Buffer.from([5, 1, 0, ...target, port >> 8, port & 255])
}

const negotiate = async (socket: Socket, host: string, port: number) => {
  socket.write(Buffer.from([5, 1, 0]))
  await once(socket, "data")
  socket.write(address(host, port))
  await once(socket, "data")
}

const open = async (proxy: number, port: number, payload: ReadonlyArray<Buffer>, host: string): Promise<Flow> => {
  const socket = connect({ port: proxy, host: "127.0.0.1", allowHalfOpen: true })
  socket.on("error", () => {})
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
  await Promise.race([negotiate(socket, host, port), closed])
  const flow: Flow = {
    sent: payload.reduce((sum, part) => sum + part.length, 0),
    received: 0,
    over: false,
    overAt: 0,
    end: closed.then(() => {
      flow.over = true
      flow.overAt = performance.now()
      return flow.received
    }),
    close: () => socket.destroy()
  }
  socket.on("data", (data: Buffer) => (flow.received += data.length))
  socket.on("end", () => socket.end())
  for (const part of payload) socket.write(part)
  return flow
}

/** Starts a client with one entry of a profile. */
export const start = async (binary: string, entry: ConfigModel.ClientEntry): Promise<Tunnel> => {
  const profile = { title: "test", expiresAt: null, verdict: { state: "active" }, entries: [entry] } as const
  const rendered = SingBoxClient.render(ConfigModel.of(profile))
  const way = rendered.outbounds.find(({ type }) => type === entry.inbound.protocol)
  if (way === undefined) throw new Error(`no ${entry.inbound.protocol} in the client's config`)
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), "tunnel-"))
  const file = join(directory, "client.json")
  const config = {
    log: { level: "error" },
    inbounds: [{ type: "mixed", tag: "in", listen: "127.0.0.1", listen_port: port }],
    outbounds: [way],
    route: { final: way.tag }
  }
  writeFileSync(file, JSON.stringify(config))
  const child = spawn(binary, ["run", "-D", directory, "-c", file, "--disable-color"], { stdio: "ignore" })
  const exited = once(child, "exit")
  for (let up = false; !up;) {
    const probe = connect(port, "127.0.0.1")
    up = await Promise.race([once(probe, "connect").then(() => true), once(probe, "close").then(() => false)]).catch(
      () => false
    )
    probe.destroy()
    if (child.exitCode !== null) throw new Error("the client did not start")
    if (!up) await sleep(10)
  }
  return {
    port,
    download: (origin, bytes, perSecond = 0, host = Origin.host) =>
      open(port, origin, [Buffer.from(`down ${bytes} ${perSecond}\n`)], host),
    upload: (origin, bytes) =>
      open(port, origin, [Buffer.from(`up ${bytes}\n`), Buffer.alloc(bytes, "u")], Origin.host),
    close: async () => {
      child.kill("SIGTERM")
      await exited
      rmSync(directory, { recursive: true, force: true })
    }
  }
}
