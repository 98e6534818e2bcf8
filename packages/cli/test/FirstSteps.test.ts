import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { homedir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { environment, main, ready, start, workplace, type Running } from "./Vpnmgr.ts"

const guide = readFileSync(fileURLToPath(new URL("../../../docs/guide/first-steps.md", import.meta.url)), "utf8")

/** The guide's blocks of commands, in order, with the word that says who runs them. */
const blocks = [...guide.matchAll(/```sh ?(\w*)\n([^]*?)```/g)].map(([, by, text]) => ({ by: by!, text: text! }))
const sayings = (by: string) => blocks.filter((block) => block.by === by).map(({ text }) => text)

const singBox =
  process.env["VPNMGR_SING_BOX"] ??
  join(
    process.env["VPNMGR_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "vpnmgr"),
    "sing-box/1.14.1/sing-box"
  )

const { directory, remove } = workplace()
const variables = join(directory, "variables")
const running: Array<Running> = []
let url = ""
/** A free one in place of the guide's, for the inbound. */
let port = 0

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** Runs a block as the reader would, in one shell after the other that keeps its variables. */
const shell = (text: string): Promise<string> => {
  const script = [
    "set -e",
    `[ ! -f ${variables} ] || . ${variables}`,
    "the_id() { node -p 'JSON.parse(require(\"fs\").readFileSync(0)).id'; }",
    text.replaceAll("http://127.0.0.1:8080", url).replaceAll("8388", String(port)),
    `for name in NODE INBOUND SUBSCRIPTION; do [ -z "\${!name}" ] || echo "$name=\${!name}"; done > ${variables}`
  ].join("\n")
  return new Promise((resolve, reject) => {
    const env = environment({ PATH: `${directory}:${process.env["PATH"]}`, XDG_CONFIG_HOME: join(directory, "config") })
    const child = execFile("bash", ["-c", script], { cwd: directory, env }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${text}\n${stdout}\n${stderr}`))
    )
    child.stdin?.end("correct horse battery staple\n")
  })
}

/** The process of the sing-box that the agent started. */
const planeProcess = (): number | undefined => {
  const file = join(directory, "agent/sing-box/plane.json")
  if (!existsSync(file)) return undefined
  return (JSON.parse(readFileSync(file, "utf8")) as { process: { pid: number } | null }).process?.pid
}

beforeAll(async () => {
  port = await freePort()
  writeFileSync(join(directory, "npx"), `#!/bin/sh\nshift\nexec "${process.execPath}" "${main}" "$@"\n`)
  chmodSync(join(directory, "npx"), 0o755)
  const server = await start(directory, ["serve"], ready, { VPNMGR_LISTEN: "127.0.0.1:0" })
  running.push(server)
  url = ready.exec(server.output())![1]!
})

afterAll(async () => {
  for (const each of running) await each.end("SIGTERM")
  const plane = planeProcess()
  if (plane !== undefined) process.kill(plane)
  remove()
})

/** The commands before the agent starts, and those after it. */
const [before, after] = [blocks.findIndex(({ by }) => by === "agent"), blocks.length]

describe("the guide's first steps", () => {
  it("start the server as the package does", () => {
    assert.deepStrictEqual(sayings("npm"), ["npm ci && npm start\n"])
  })

  it("lead from nothing to a client's config", async () => {
    const outputs: Array<string> = []
    for (const { by, text } of blocks.slice(0, before)) if (by === "") outputs.push(await shell(text))
    const all = outputs.join("\n")
    assert.match(all, /you are +the system itself/)
    assert.match(all, /username +admin/)
    assert.match(all, /used +0 B of 10 GB/)
    const [, config] = /\n(\{"[^\n]*\})$/m.exec(all)!
    const { outbounds } = JSON.parse(config!) as { outbounds: ReadonlyArray<{ type: string; server_port?: number }> }
    assert.isTrue(outbounds.some(({ server_port, type }) => type === "shadowsocks" && server_port === port))
  })

  const title = existsSync(singBox) ? "" : " (skipped: no sing-box 1.14.1; run scripts/install-sing-box.sh)"
  it.skipIf(!existsSync(singBox))(`lead on to a node that serves it${title}`, async () => {
    const [, line] = /^npx vpnmgr (agent .*)$/m.exec(sayings("agent").join(""))!
    const args = line!.replace("http://127.0.0.1:8080", url).replace(/~\S+/, singBox).split(" ")
    const agent = await start(directory, args, /vpnmgr agent is running/)
    const [served] = sayings("served")
    const isServed = (text: string) => /first +- +yes/.test(text) && text.includes("1 of 1 serve the newest change")
    let shown = ""
    for (let tries = 0; tries < 60 && !isServed(shown); tries++) {
      await sleep(500)
      shown = await shell(served!)
    }
    assert.isTrue(isServed(shown), shown)
    assert.strictEqual(await agent.end("SIGTERM"), 0)
    assert.isTrue(process.kill(planeProcess()!, 0), "sing-box goes on")
  })

  it("can be taken back", async () => {
    const outputs: Array<string> = []
    for (const { by, text } of blocks.slice(before, after)) if (by === "") outputs.push(await shell(text))
    assert.match(outputs.join("\n"), /subscription\.rotate/)
  })
})
