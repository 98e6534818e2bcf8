/** What the real sing-box says of everything that is rendered. */
import { assert, describe, it } from "@effect/vitest"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { ConfigModel, SingBoxClient, SingBoxServer } from "../src/index.ts"
import {
  access,
  binary,
  certificate,
  certificateKey,
  credential,
  inbounds,
  nasty,
  versions
} from "./SingBoxFixtures.ts"

const run = promisify(execFile)

/** What sing-box writes of an option that it will not know much longer, or does not know any more. */
const complaint = /WARN|FATAL|deprecated/i

const inDirectory = async (body: (directory: string) => Promise<void>) => {
  const directory = mkdtempSync(join(tmpdir(), "sing-box-test-"))
  await body(directory).finally(() => rmSync(directory, { recursive: true, force: true }))
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, "close")
  return port
}

/** Colours off; the log of a second's run. */
const logOf = async (path: string, file: string): Promise<string> => {
  const child = spawn(path, ["run", "-c", file, "--disable-color"], { stdio: ["ignore", "pipe", "pipe"] })
  let log = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (log += chunk.toString()))
  const exited = once(child, "exit")
  await sleep(1000)
  child.kill("SIGTERM")
  await exited
  return log
}

/** A tun device asks for rights that tests do not have; everything else stays as rendered. */
const withoutTun = (config: object, port: number) => ({
  ...config,
  inbounds: [{ type: "mixed", tag: "tun-in", listen: "127.0.0.1", listen_port: port }]
})

const rendered = (profile: Pick<ConfigModel.Profile, "title" | "entries" | "verdict">) =>
  SingBoxClient.render(ConfigModel.of({ ...profile, expiresAt: null }))

const active = { state: "active" } as const
const over = { state: "over_limit", bucket: "subscription", until: Date.UTC(2026, 1, 1) } as const

const clients = {
  full: rendered({
    title: nasty,
    entries: inbounds.map((inbound) => ({ inbound, access: access(17, inbound) })),
    verdict: active
  }),
  stub: rendered({ title: nasty, entries: [], verdict: over }),
  empty: rendered({ title: "", entries: [], verdict: active })
}

for (const version of versions) {
  const path = binary(version)
  const needs = path === undefined ? ` (skipped: run scripts/install-sing-box.sh ${version})` : ""
  describe.skipIf(path === undefined)(`sing-box ${version}${needs}`, () => {
    for (const [name, config] of Object.entries(clients)) {
      it(
        `accepts the ${name} client config, and runs it without a warning`,
        () =>
          inDirectory(async (directory) => {
            const file = join(directory, "client.json")
            writeFileSync(file, JSON.stringify(config))
            await run(path!, ["check", "-c", file])
            writeFileSync(file, JSON.stringify(withoutTun(config, await freePort())))
            assert.notMatch(await logOf(path!, file), complaint)
          }),
        20_000
      )
    }

    it(
      "accepts the server config, and runs it without a warning",
      () =>
        inDirectory(async (directory) => {
          const paths = { certificatePath: join(directory, "c.pem"), keyPath: join(directory, "k.pem") }
          writeFileSync(paths.certificatePath, certificate)
          writeFileSync(paths.keyPath, certificateKey)
          const config = SingBoxServer.render(
            {
              inbounds: await Promise.all(inbounds.map(async (inbound) => ({ ...inbound, port: await freePort() }))),
              credentials: [credential(17, 1, 2, 3), credential(18)]
            },
            {
              epoch: "e1",
              stats: `127.0.0.1:${await freePort()}`,
              control: `127.0.0.1:${await freePort()}`,
              secret: "s3cret",
              manyPeerUdp: false,
              certificates: new Map([[3, paths]])
            }
          )
          const file = join(directory, "server.json")
          writeFileSync(file, JSON.stringify(config))
          await run(path!, ["check", "-c", file])
          writeFileSync(file, JSON.stringify({ ...config, log: { level: "warn" } }))
          assert.notMatch(await logOf(path!, file), complaint)
        }),
      20_000
    )

    it(
      "refuses a config that is wrong, and warns of one that is old",
      () =>
        inDirectory(async (directory) => {
          const file = join(directory, "client.json")
          writeFileSync(file, JSON.stringify({ ...clients.full, nonsense: true }))
          assert.strictEqual(
            await run(path!, ["check", "-c", file]).then(
              () => "accepted",
              () => "refused"
            ),
            "refused"
          )
          const old = { dns: { servers: [{ tag: "old", address: "local" }] }, ...withoutTun({}, await freePort()) }
          writeFileSync(file, JSON.stringify(old))
          assert.match(await logOf(path!, file), complaint)
        }),
      20_000
    )
  })
}
