/** Every command that asks the API, once at least, on a real server; what it asked for is what the server counted. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ExitCode from "../src/ExitCode.ts"
import { commandTable, flagsOf, leaves } from "./CommandTable.ts"
import { commands, operations, without } from "./Operations.ts"
import { reporting } from "./Reporting.ts"
import { ready, start, vpnmgr, workplace, type Running } from "./Vpnmgr.ts"

const { directory, remove } = workplace()
const password = "correct horse battery staple\n"
const asked: Array<string> = []

let server: Running
let url = ""

beforeAll(async () => {
  server = await start(directory, ["serve", "--listen", "127.0.0.1:0"], ready)
  url = ready.exec(server.output())![1]!
  writeFileSync(join(directory, "password"), password)
})
afterAll(async () => {
  await server.end("SIGKILL")
  remove()
})

/** Runs a command that must succeed. */
const run = async (...args: ReadonlyArray<string>): Promise<string> => {
  asked.push(args.join(" "))
  const { code, stderr, stdout } = await vpnmgr(directory, args, { input: password })
  assert.strictEqual(code, 0, `vpnmgr ${args.join(" ")}: ${stderr}`)
  return stdout
}

interface Item {
  readonly id: string
  readonly [field: string]: unknown
}
interface Page {
  readonly items: ReadonlyArray<Item>
  readonly next_cursor: string | null
}

const json = async <A = Item>(...args: ReadonlyArray<string>): Promise<A> =>
  JSON.parse(await run(...args, "--json")) as A

const all = <A>(...each: ReadonlyArray<Promise<A>>) => Promise.all(each)

describe("every operation has its command", () => {
  it("in the table, or a reason there", () => {
    for (const name of operations.keys())
      assert.strictEqual(
        Number(name in commands) + Number(name in without),
        1,
        `${name} in packages/cli/test/Operations.ts`
      )
    for (const name of [...Object.keys(commands), ...Object.keys(without)]) assert.isTrue(operations.has(name), name)
  })

  it("which exists, and has an example in its help", () => {
    const paths = new Map(leaves.map(({ command, path }) => [path, command]))
    for (const path of Object.values(commands)) {
      const command = paths.get(path)
      assert.isDefined(command, path)
      assert.isTrue(command!.examples.some((example) => example.command.includes(`vpnmgr ${path}`)))
    }
  })

  it("which takes the headers that the operation takes, and no others", () => {
    const byPath = new Map(leaves.map((leaf) => [leaf.path, flagsOf(leaf)]))
    for (const [name, path] of Object.entries(commands)) {
      const { isVersioned, takesKey } = operations.get(name)!
      const flags = byPath.get(path)!
      assert.strictEqual(flags.includes("if-match"), isVersioned, `${path} --if-match`)
      assert.strictEqual(flags.includes("idempotency-key"), takesKey, `${path} --idempotency-key`)
    }
  })

  it("and every command stands in the guide", () => {
    const guide = readFileSync(fileURLToPath(new URL("../../../docs/guide/cli.md", import.meta.url)), "utf8")
    assert.include(guide, commandTable(), "run node packages/cli/test/regenerate.ts")
    for (const [code, meaning] of Object.entries(ExitCode.meanings)) assert.include(guide, `| ${code} | ${meaning} |`)
    for (const [name, why] of Object.entries(without)) {
      assert.include(guide, operations.get(name)!.route)
      assert.include(guide, why)
    }
  })
})

describe("on a server, every command does what it says", () => {
  it("for people", async () => {
    const [, secret] = /set-up secret: (\S+)/.exec(server.output())!
    writeFileSync(join(directory, "secret"), secret!)
    const remote = ["--url", url, "--password-file", "password"]
    await run("setup", "ada", "--secret-file", "secret", ...remote)
    assert.match(await run("login", "ada", ...remote), /^Signed in to .* as ada \(superuser\)/)
    assert.match(await run("user", "list", "--url", url), /ada +superuser/)
    assert.match(await run("status", "--url", url), /you are +ada \(superuser\)/)
    await run("session", "renew", "--url", url)
    writeFileSync(join(directory, "new"), "another horse battery staple\n")
    const changed = ["--current-password-file", "password", "--password-file", "new"]
    assert.match(await run("password", "--url", url, ...changed), /^Your password is changed; 0 sessions ended/)
    assert.match(await run("session", "list", "--url", url), / yes$/m)
    await run("logout", "--url", url)

    const reset = await run("admin", "reset-password", "ada", "--generate")
    const [, made] = /^password +(\S+) +\(shown this once\)$/m.exec(reset)!
    writeFileSync(join(directory, "made"), made!)
    const signedIn = ["--url", url, "--password-file", "made"]
    await run("login", "ada", ...signedIn)
    const { items: sessions } = await json<Page>("session", "list", "--user", "ada")
    assert.match(await run("session", "revoke", sessions[0]!.id, "--yes"), /is revoked/)
    await run("login", "ada", ...signedIn)
    assert.strictEqual(await run("session", "revoke-all", "ada", "--yes"), "1 session ended.\n")

    await run("group", "create", "basic", "--max-traffic", "1TB", "--max-speed", "50Mbit")
    await run("group", "change", "basic", "--max-traffic", "unlimited", "--traffic-reset-period", "P1M")
    assert.match(await run("group", "show", "basic"), /max traffic +unlimited[^]*every P1M/)
    assert.match(await run("group", "list"), /basic +unlimited +50 Mbit\/s +P1M/)
    await run("user", "create", "bob", "--group", "basic")
    assert.match(await run("user", "show", "bob"), /max speed +50 Mbit\/s/)
    await run("user", "create", "eve")
    assert.match(await run("user", "change", "eve", "--disabled", "yes", "--username", "mallory"), /disabled +yes/)
    assert.match(await run("user", "list", "--disabled", "yes"), /mallory +operator +0 +yes/)
    await run("user", "delete", "mallory", "--yes")
    await run("user", "set-groups", "bob")
    assert.match(await run("user", "show", "bob"), /max speed +unlimited/)
    await all(run("user", "reset", "bob"), run("group", "delete", "basic", "--yes"))
  })

  it("for nodes, their keys and their inbounds", async () => {
    const { id: node } = await json("node", "create", "--geo", "DE", "--link-speed", "1Gbit")
    const made = await run("token", "create", "--node", node, "--output", "node.key")
    const key = readFileSync(join(directory, "node.key"), "utf8")
    assert.match(key, /^\S{32}\n$/)
    assert.notInclude(made, key.trim())
    const entry = ["--node", node, "--host", "127.0.0.1"]
    const [vless] = await all(
      json("inbound", "create", "vless", ...entry, "--port", "4001", "--server-name", "a.test"),
      json("inbound", "create", "hysteria2", ...entry, "--port", "4002", "--server-name", "b.test"),
      json("inbound", "create", "shadowsocks", ...entry, "--port", "4003", "--traffic-multiplier", "1.5")
    )
    await json("inbound", "change", vless!.id, "--geo", "none", "--active", "no")
    assert.match(await run("inbound", "show", vless!.id), /active +no/)
    assert.strictEqual((await run("inbound", "list", "--node", node)).trim().split("\n").length, 4)
    assert.match(await run("node", "show", node), /link speed +1 Gbit\/s/)
    const { id: token } = await json("token", "create", "--node", node)
    await run("token", "revoke", token, "--yes")
    assert.match(await run("token", "show", token), /revoked +20/)
    await run("node", "change", node, "--description", "fra-1", "--geo", "none")
    assert.match(await run("node", "list", "--search", "FRA"), /fra-1 +- +no +never/)
    assert.match(await run("inbound", "change", vless!.id, "--server-name", "c.test"), /server name +c\.test/)
    await run("inbound", "rotate-keys", vless!.id, "--yes")
    const { id: gone } = await json("node", "create")
    const { id: closed } = await json("inbound", "create", "shadowsocks", "--node", gone, "--host", "a", "--port", "1")
    await run("inbound", "delete", closed, "--yes")
    await run("node", "delete", gone, "--yes")
    assert.match(await run("token", "list", "--node", node), new RegExp(`${token} +\\S+ +20`))
    await json("spares", "refill")
    assert.match(await run("spares", "show"), /in stock +64 of 64/)
  })

  it("for subscriptions", async () => {
    const { items: inbounds } = await json<Page>("inbound", "list")
    const [first, last] = inbounds.flatMap(({ id, is_active }) => (is_active === true ? [id] : []))
    const created = ["--owner", "bob", "--max-traffic", "10GB", "--expires-at", "30d", "--inbound", first!]
    const { id } = await json("subscription", "create", "--title", "Eve", ...created)
    const [head, row] = (await run("subscription", "list")).trim().split("\n")
    assert.match(head!, /^ID +TITLE +STATE +USED/)
    assert.deepStrictEqual(row!.split(/ {2,}/).slice(0, 4), [id, "Eve", "active", "0 B of 10 GB"])
    await run("subscription", "extend", id, "--period", "P1M", "--from", "now")
    await run("subscription", "change", id, "--owner", "none", "--expires-at", "never", "--max-traffic", "1GB")
    const { inbound_ids } = await json("subscription", "set-inbounds", id, "--inbound", first!, "--inbound", last!)
    assert.sameMembers(inbound_ids as Array<string>, [first!, last!])
    await run("subscription", "unlink-inbound", id, "--inbound", last!)
    await run("subscription", "link-inbound", id, "--inbound", last!)
    writeFileSync(join(directory, "ids"), `${id}\n`)
    const bulk = ["inbound", "link-subscriptions", first!]
    assert.match(
      await run(...bulk, "--unlink-file", "ids"),
      /^0 subscriptions were linked, 1 subscription was unlinked/
    )
    assert.match(await run("inbound", "subscriptions", first!), /No subscription is linked/)
    assert.match(await run(...bulk, "--link", id), /^1 subscription was linked/)
    assert.match(await run("inbound", "subscriptions", first!), / Eve /)
    const shown = await run("subscription", "show", id)
    assert.match(shown, /title +Eve[^]*left +1 GB of its own limit, which never[^]*expires +never[^]*max traffic +1 GB/)
    for (const verb of ["suspend", "resume", "reset"]) await run("subscription", verb, id)
    const before = (await run("subscription", "link", id)).trim()
    assert.strictEqual(before, `${url}/s/${id}`)
    await run("subscription", "rotate", id, "--yes")
    assert.strictEqual((await fetch(before)).status, 404)
    assert.strictEqual((await fetch((await run("subscription", "link", id)).trim())).status, 200)
    const config = JSON.parse(await run("config", "render", id)) as { readonly outbounds: ReadonlyArray<unknown> }
    assert.deepStrictEqual(config, await (await fetch((await run("subscription", "link", id)).trim())).json())
    assert.isNotEmpty((JSON.parse(await run("config", "render", id)) as { outbounds: unknown })["outbounds"])
    assert.match(await run("subscription", "usage", id), /^Nothing was reported from/)
    const { id: other } = await json("subscription", "create")
    assert.match(await run("subscription", "delete", other, "--yes"), /is deleted/)
  })

  it("for what was reported", async () => {
    const { items: nodes } = await json<Page>("node", "list")
    const { items: subscriptions } = await json<Page>("subscription", "list")
    const [node, subscription] = [nodes[0]!.id, subscriptions[0]!.id]
    const key = readFileSync(join(directory, "node.key"), "utf8").trim()
    await reporting(url, key)
    assert.match(await run("subscription", "usage", subscription), /1\.5 kB +1\.5 kB +(3|4\.5) kB/)
    assert.match(await run("subscription", "usage", subscription, "--by", "node"), /^NODE +UP[^]* 1\.5 kB/)
    assert.match(await run("user", "usage", "bob"), /^Nothing was reported/)
    assert.match(await run("traffic-report", "list", "--subscription", subscription), /1\.5 kB +1\.5 kB/)
    assert.match(await run("access-log", "list", "--node", node), /1\.5 kB +1\.5 kB/)
    const open = await json<Page>("quarantine", "list", "--state", "open", "--reason", "unknown_credential")
    const [one, another] = open.items.map(({ id }) => id)
    assert.match(await run("quarantine", "show", one!), /reason +unknown credential[^]*state +open/)
    const { items: inbounds } = await json<Page>("inbound", "list")
    const named = [
      "--subscription",
      subscription,
      "--inbound",
      inbounds.find(({ is_active }) => is_active === true)!.id
    ]
    await run("quarantine", "apply", one!, ...named, "--yes")
    await run("quarantine", "dismiss", another!, "--yes")
    assert.match(await run("quarantine", "list"), /applied[^]*dismissed|dismissed[^]*applied/)
    const conflicts = await json<Page>("report-conflict", "list", "--node", node)
    assert.match(await run("report-conflict", "show", conflicts.items[0]!.id), /number +1\n[^]*CREDENTIAL/)
    const csv = await run("subscription", "export", "--format", "csv")
    assert.match(csv, /^id,[^]*\n/)
    assert.include(csv, subscription)
    assert.match(await run("traffic-report", "export", "--node", node, "--output", "reports.ndjson"), /bytes are in/)
    const [report] = readFileSync(join(directory, "reports.ndjson"), "utf8").split("\n")
    assert.strictEqual((JSON.parse(report!) as Item)["subscription_id"], subscription)
    for (const noun of ["access-log", "audit", "quarantine"])
      for (const line of (await run(noun, "export")).trim().split("\n")) assert.isObject(JSON.parse(line))
    assert.match(await run("audit", "seals"), /No day is sealed yet/)
    assert.match(await run("audit", "verify"), /No day of that time is sealed/)
    assert.match(await run("audit", "list", "--action", "subscription.delete"), /subscription\.delete/)
  })

  it("and all of it was asked for", async () => {
    for (const path of Object.values(commands))
      assert.isTrue(
        asked.some((line) => `${line} `.startsWith(`${path} `)),
        path
      )
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const counted = new Set(
      Array.from(metrics.matchAll(/^vpnmgr_requests_total\{([^}]*)\}/gm), ([, labels]) => {
        const label = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(labels!)![1]!
        return `${label("method")} ${label("route")} ${label("status")[0]}xx`
      })
    )
    for (const name of Object.keys(commands)) assert.isTrue(counted.has(`${operations.get(name)!.route} 2xx`), name)
    assert.isFalse(counted.has("GET /api/v1/nothing 2xx"))
  })
})
