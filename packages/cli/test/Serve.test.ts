import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, existsSync, openSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { environment, main, ready, start, vpnmgr, workplace, type Running } from "./Vpnmgr.ts"

const { directory, remove } = workplace()
const args = ["serve", "--listen", "127.0.0.1:0"]
const password = "correct horse battery staple\n"

let server: Running
let url = ""

const serve = async () => {
  server = await start(directory, args, ready)
  url = ready.exec(server.output())![1]!
}

const json = async <A>(...command: ReadonlyArray<string>): Promise<A> => {
  const { code, stderr, stdout } = await vpnmgr(directory, [...command, "--json"], { input: password })
  assert.strictEqual(code, 0, `vpnmgr ${command.join(" ")}: ${stderr}`)
  return JSON.parse(stdout) as A
}

interface Item {
  readonly id: string
  readonly title?: string
}

beforeAll(serve)
afterAll(async () => {
  await server.end("SIGKILL")
  remove()
})

describe("a server on an embedded database", () => {
  it("says where it is, what its first user needs, and what to run next", async () => {
    const output = server.output()
    assert.match(output, /One-time set-up secret: [\w-]{32}\n/)
    assert.include(output, `${url}/docs`)
    assert.include(output, "npx vpnmgr user create admin --role superuser")
    assert.include(output, "keep a copy")
    assert.strictEqual((await fetch(`${url}/health/ready`)).status, 200)
  })

  it("keeps its directory, key and socket to its own user", () => {
    const mode = (name: string) => statSync(join(directory, "data", name)).mode & 0o777
    assert.deepStrictEqual([mode("."), mode("encryption.key"), mode("vpnmgr.sock")], [0o700, 0o600, 0o600])
  })

  it("makes its first superuser over the network with the secret, who signs in and out", async () => {
    const [, secret] = /set-up secret: (\S+)/.exec(server.output())!
    writeFileSync(join(directory, "secret"), secret!)
    writeFileSync(join(directory, "password"), password)
    const remote = ["--url", url, "--password-file", "password"]
    const set = await vpnmgr(directory, ["setup", "ada", "--secret-file", "secret", ...remote])
    assert.strictEqual(set.code, 0, set.stderr)
    const refused = await vpnmgr(directory, ["user", "list", "--url", url])
    assert.strictEqual(refused.code, 4)
    const login = await vpnmgr(directory, ["login", "ada", ...remote])
    assert.match(login.stdout, /^Signed in to .* as ada \(superuser\)/)
    assert.strictEqual(statSync(join(directory, "config/vpnmgr/sessions.json")).mode & 0o777, 0o600)
    const users = await vpnmgr(directory, ["user", "list", "--url", url])
    assert.match(users.stdout, /ada +superuser/)
    assert.strictEqual((await vpnmgr(directory, ["logout", "--url", url])).code, 0)
    assert.strictEqual((await vpnmgr(directory, ["user", "list", "--url", url])).code, 4)
  })

  it("refuses a second server on its directory, in words, and goes on", async () => {
    const second = await vpnmgr(directory, args)
    assert.strictEqual(second.code, 1)
    assert.match(second.stderr, new RegExp(`already runs on ./data \\(process ${server.child.pid}`))
    const migrating = await vpnmgr(directory, ["migrate"])
    assert.match(migrating.stderr, /already runs/)
    assert.strictEqual((await vpnmgr(directory, ["status"])).code, 0)
  })

  it("refuses an address that is taken, in words", async () => {
    const other = await vpnmgr(directory, [
      "serve",
      "--listen",
      url.slice("http://".length),
      "--data-directory",
      "other"
    ])
    assert.strictEqual(other.code, 1)
    assert.match(other.stderr, /is taken: another program listens there; choose another with --listen/)
  })

  it("has everything that was answered after kill -9, and another start needs no help", async () => {
    const { id } = await json<Item>("subscription", "create", "--title", "Survivor")
    await server.end("SIGKILL")
    assert.isTrue(existsSync(join(directory, "data/vpnmgr.sock")))
    await serve()
    assert.notInclude(server.output(), "set-up secret")
    assert.strictEqual((await json<Item>("subscription", "show", id)).title, "Survivor")
  })

  it("goes on where its log cannot be written, as on a full disk", async () => {
    const full = openSync("/dev/full", "w")
    const listen = ["--listen", "127.0.0.1:0", "--data-directory", "unlogged"]
    const unlogged = spawn(process.execPath, [main, "serve", ...listen], {
      cwd: directory,
      env: environment(),
      stdio: ["ignore", "pipe", full]
    })
    closeSync(full)
    const [output] = (await once(unlogged.stdout!, "data")) as [Buffer]
    const at = ready.exec(output.toString())![1]!
    for (let times = 0; times < 5; times++) assert.strictEqual((await fetch(`${at}/health/ready`)).status, 200)
    assert.strictEqual(unlogged.exitCode, null)
    unlogged.kill("SIGTERM")
    assert.deepStrictEqual(await once(unlogged, "exit"), [0, null])
  })

  it("stops on SIGTERM with exit code 0 and leaves no socket; another grain is refused", async () => {
    assert.strictEqual(await server.end("SIGTERM"), 0)
    assert.isFalse(existsSync(join(directory, "data/vpnmgr.sock")))
    const other = await vpnmgr(directory, [...args, "--grain", "10s"])
    assert.strictEqual(other.code, 1)
    assert.match(other.stderr, /made with a grain of 1h/)
    assert.strictEqual((await vpnmgr(directory, ["migrate"])).code, 0)
    await serve()
  })
})
