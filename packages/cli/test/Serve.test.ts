import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ready, start, vpnmgr, workplace, type Running } from "./Vpnmgr.ts"

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
interface Page {
  readonly items: ReadonlyArray<Item>
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

  it("shows the same in a table as in the API's JSON", async () => {
    for (const title of ["Ada", "Grace"])
      await json("subscription", "create", "--title", title, "--max-traffic", "10GB", "--expires-at", "30d")
    const { items } = await json<Page>("subscription", "list")
    assert.deepStrictEqual(
      items.map(({ title }) => title),
      ["Ada", "Grace"]
    )
    const { stdout } = await vpnmgr(directory, ["subscription", "list"])
    const [head, ...rows] = stdout.trim().split("\n")
    assert.match(head!, /^ID +TITLE +STATE +USED/)
    assert.deepStrictEqual(
      rows.map((row) => row.split(/ {2,}/).slice(0, 4)),
      [
        [items[0]!.id, "Ada", "active", "0 B of 10 GB"],
        [items[1]!.id, "Grace", "active", "0 B of 10 GB"]
      ]
    )
  })

  it("walks a list page by page", async () => {
    const { stdout } = await vpnmgr(directory, ["subscription", "list", "--limit", "1"])
    const [, cursor] = /There is more: --cursor (\S+)/.exec(stdout)!
    const next = await json<Page>("subscription", "list", "--limit", "1", "--cursor", cursor!)
    assert.deepStrictEqual(
      next.items.map(({ title }) => title),
      ["Grace"]
    )
  })

  it("does to every noun what its command says", async () => {
    const group = await json<Item>("group", "create", "basic", "--max-traffic", "1TB", "--max-speed", "50Mbit")
    await json("group", "change", group.id, "--max-traffic", "unlimited", "--traffic-reset-period", "P1M")
    const bob = await json<Item>("user", "create", "bob")
    await json("user", "set-groups", bob.id, "--group", group.id)
    await json("user", "reset", bob.id)
    assert.match((await vpnmgr(directory, ["user", "show", bob.id])).stdout, /max speed +50 Mbit\/s/)
    const node = await json<Item>("node", "create", "--geo", "DE", "--link-speed", "1Gbit")
    const made = await vpnmgr(directory, ["token", "create", "--node", node.id, "--output", "node.key"])
    assert.notMatch(made.stdout, new RegExp(readFileSync(join(directory, "node.key"), "utf8").trim()))
    assert.match(readFileSync(join(directory, "node.key"), "utf8"), /^\S{32}\n$/)
    const tokens = await json<Page>("token", "list", "--node", node.id)
    await json("token", "revoke", tokens.items[0]!.id, "--yes")
    const entry = ["--node", node.id, "--host", "127.0.0.1"]
    const vless = await json<Item>("inbound", "create", "vless", ...entry, "--port", "4001", "--server-name", "a.test")
    await json("inbound", "create", "hysteria2", ...entry, "--port", "4002", "--server-name", "b.test")
    await json("inbound", "create", "shadowsocks", ...entry, "--port", "4003", "--traffic-multiplier", "1.5")
    const taken = await vpnmgr(directory, ["inbound", "create", "shadowsocks", ...entry, "--port", "4001", "--json"])
    assert.strictEqual(taken.code, 5)
    assert.strictEqual((JSON.parse(taken.stderr) as { code: string }).code, "already_exists")
    await json("inbound", "change", vless.id, "--geo", "none", "--active", "no")
    const { id } = await json<Item>("subscription", "create", "--inbound", vless.id, "--owner", bob.id)
    await json("subscription", "change", id, "--title", "Eve", "--owner", "none", "--expires-at", "never")
    await json("subscription", "change", id, "--max-traffic", "1GB")
    assert.match((await vpnmgr(directory, ["subscription", "show", id])).stdout, /title +Eve[^]*max traffic +1 GB/)
    for (const verb of ["suspend", "resume", "reset"]) await json("subscription", verb, id)
    const before = await vpnmgr(directory, ["subscription", "link", id])
    assert.strictEqual(before.stdout.trim(), `${url}/s/${id}`)
    await json("subscription", "rotate", id, "--yes")
    assert.strictEqual((await fetch(before.stdout.trim())).status, 404)
    const after = await vpnmgr(directory, ["subscription", "link", id])
    assert.strictEqual((await fetch(after.stdout.trim())).status, 200)
    assert.match((await vpnmgr(directory, ["subscription", "usage", id])).stdout, /^Nothing was reported from/)
    assert.match((await vpnmgr(directory, ["subscription", "delete", id, "--yes"])).stdout, /is deleted/)
    assert.match((await vpnmgr(directory, ["group", "delete", group.id, "--yes"])).stdout, /is deleted/)
    await json("spares", "refill")
    assert.match((await vpnmgr(directory, ["spares", "show"])).stdout, /in stock +64 of 64/)
    assert.match((await vpnmgr(directory, ["audit", "list"])).stdout, /subscription\.delete/)
    await json("quarantine", "list")
    assert.match((await vpnmgr(directory, ["status"])).stdout, /you are +the system itself/)
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
