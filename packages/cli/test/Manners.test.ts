/** How commands behave whatever they are about: names, questions, pages, versions, exit codes, and hostile titles. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { environment, main, ready, start, vpnmgr, workplace, type Running } from "./Vpnmgr.ts"

const { directory, remove } = workplace()
const esc = "\u001B"
const hostile = `${esc}[2J${esc}]0;owned\u0007\u009B31m\u202Egone`

let server: Running

beforeAll(async () => {
  server = await start(directory, ["serve", "--listen", "127.0.0.1:0"], ready)
  writeFileSync(join(directory, "password"), "correct horse battery staple\n")
})
afterAll(async () => {
  await server.end("SIGKILL")
  remove()
})

const run = async (...args: ReadonlyArray<string>): Promise<string> => {
  const { code, stderr, stdout } = await vpnmgr(directory, args)
  assert.strictEqual(code, 0, `vpnmgr ${args.join(" ")}: ${stderr}`)
  return stdout
}

const fails = async (code: number, ...args: ReadonlyArray<string>): Promise<string> => {
  const finished = await vpnmgr(directory, args)
  assert.strictEqual(finished.code, code, `vpnmgr ${args.join(" ")}: ${finished.stdout}${finished.stderr}`)
  return finished.stderr
}

interface Item {
  readonly id: string
  readonly title: string | null
  readonly [field: string]: unknown
}

const json = async (...args: ReadonlyArray<string>): Promise<Item> => JSON.parse(await run(...args, "--json")) as Item

/** What a person sees: the command on a terminal of its own, with what is typed. */
const onTerminal = (args: ReadonlyArray<string>, typed = "", env: Record<string, string> = {}): Promise<string> =>
  new Promise((resolve) => {
    const quoted = [process.execPath, main, ...args].map((word) => `'${word}'`).join(" ")
    const child = execFile(
      "script",
      ["--quiet", "--return", "--command", quoted, "/dev/null"],
      { cwd: directory, env: environment({ TERM: "xterm", ...env }) },
      (_, stdout) => resolve(stdout)
    )
    let isAnswered = typed === ""
    child.stdout?.on("data", (part: string) => {
      if (isAnswered || !part.includes("?")) return
      isAnswered = true
      child.stdin?.write(typed)
    })
  })

describe("things are named", () => {
  it("by their name where they have one, by their id, or by as much of it as is theirs alone", async () => {
    const group = await json("group", "create", "basic")
    await run("user", "create", "bob", "--group", "basic", "--password-file", "password")
    for (const name of ["bob", "BOB"]) assert.match(await run("user", "show", name), /username +bob/)
    assert.match(await run("group", "show", group.id.slice(0, 20)), /name +basic/)
    assert.match(await run("group", "show", group.id.toUpperCase()), /name +basic/)
    const [one, two] = [await json("subscription", "create", "--owner", "bob"), await json("subscription", "create")]
    assert.match(await run("subscription", "show", one.id.slice(0, 24)), new RegExp(`id +${one.id}`))
    assert.match(await fails(1, "subscription", "show", one.id.slice(0, 8)), /more than one subscription .*: give more/)
    assert.match(await fails(1, "subscription", "delete", two.id.slice(0, 8), "--yes"), /more than one/)
    await run("subscription", "show", two.id)
  })

  it("and what nobody has is said, with where to look", async () => {
    assert.match(
      await fails(3, "user", "show", "eve"),
      /there is no user with the name or id eve: see vpnmgr user list/
    )
    assert.match(await fails(3, "node", "show", "0199"), /there is no node with the id 0199: see vpnmgr node list/)
    assert.match(
      await fails(3, "subscription", "show", "ffffffff-ffff-7fff-bfff-ffffffffffff"),
      /subscription|nothing/i
    )
    assert.match(await fails(3, "subscription", "create", "--owner", "eve"), /there is no user/)
  })
})

describe("what cannot be taken back", () => {
  it("needs --yes where nobody can be asked, and nothing happens without", async () => {
    const { id } = await json("group", "create", "kept")
    assert.match(await fails(1, "group", "delete", "kept"), /Delete the group kept\?.* Say --yes/)
    assert.match(await run("group", "show", "kept"), new RegExp(id))
    await run("group", "delete", "kept", "--yes")
    await fails(3, "group", "show", "kept")
  })

  it("is asked about on a terminal", async () => {
    await run("group", "create", "asked")
    assert.include(await onTerminal(["group", "delete", "asked"], "n\r"), "nothing was done")
    await run("group", "show", "asked")
    assert.include(await onTerminal(["group", "delete", "asked"], "y\r"), "is deleted")
    await fails(3, "group", "show", "asked")
  })
})

describe("what comes out", () => {
  const painted = [`${esc}[2J`, `${esc}]0`, "\u009B", "\u202E"]
  const harmless = (text: string, about: ReadonlyArray<string>) => {
    for (const paint of painted) assert.notInclude(text, paint, about.join(" "))
  }

  it("holds nothing that a title could paint a terminal with, in text and in JSON", async () => {
    const { id } = await json("subscription", "create", "--title", hostile, "--description", "東京 👍")
    for (const args of [
      ["subscription", "show", id],
      ["subscription", "list"]
    ]) {
      const text = await run(...args)
      harmless(text, args)
      assert.include(text, "�[2J")
    }
    for (const args of [
      ["subscription", "show", id, "--json"],
      ["subscription", "export"],
      ["subscription", "list"]
    ])
      harmless(await onTerminal(args), args)
    assert.strictEqual((JSON.parse(await onTerminal(["subscription", "show", id, "--json"])) as Item).title, hostile)
    const raw = await run("subscription", "show", id, "--json")
    assert.strictEqual((JSON.parse(raw) as Item).title, hostile)
    assert.include(raw, "\u009B")
  })

  it("has colour on a terminal alone, and not with NO_COLOR", async () => {
    const list = ["group", "list"]
    assert.include(await onTerminal(list), `${esc}[1mID`)
    assert.notInclude(await onTerminal(list, "", { NO_COLOR: "1" }), esc)
    assert.notInclude(await run(...list), esc)
  })

  it("is every page with --all: one table, or one item a line", async () => {
    for (const title of ["a", "b", "c"]) await run("subscription", "create", "--title", title)
    const lines = (await run("subscription", "list", "--all", "--limit", "2", "--json")).trim().split("\n")
    const titles = lines.map((line) => (JSON.parse(line) as Item).title)
    assert.includeMembers(titles, ["a", "b", "c", hostile])
    const table = await run("subscription", "list", "--all", "--limit", "2")
    assert.strictEqual(table.trim().split("\n").length, lines.length + 1)
    const page = await run("subscription", "list", "--limit", "2")
    assert.match(page, /There is more: --all, or --cursor \S+\n$/)
  })

  it("is filtered and sorted as asked", async () => {
    const sorted = await run("subscription", "list", "--search", "b", "--sort=-title", "--all", "--json")
    assert.strictEqual((JSON.parse(sorted.split("\n")[0]!) as Item).title, "b")
    const owned = await run("subscription", "list", "--owner", "bob", "--all", "--json")
    assert.strictEqual(owned.trim().split("\n").length, 1)
    assert.notInclude(await run("subscription", "list", "--owner", "none", "--all", "--json"), owned.trim())
  })
})

describe("a change", () => {
  it("can name the version it was decided on", async () => {
    await run("group", "create", "versioned")
    const [, version] = /^Version (\S+) \(for --if-match\)$/m.exec(await run("group", "show", "versioned"))!
    await run("group", "change", "versioned", "--max-speed", "1Mbit", "--if-match", version!)
    const stale = ["group", "change", "versioned", "--max-speed", "2Mbit", "--if-match", version!]
    assert.match(await fails(5, ...stale), /changed/)
    assert.match(await run("group", "show", "versioned"), /1 Mbit/)
  })

  it("is made once under one key, and another under the same key is refused", async () => {
    const once = ["group", "create", "once", "--idempotency-key", "k-1"]
    const first = await json(...once)
    assert.strictEqual((await json(...once)).id, first.id)
    assert.match(await fails(1, "group", "create", "other", "--idempotency-key", "k-1"), /key/i)
    assert.strictEqual((await run("group", "list", "--search", "once", "--all", "--json")).trim().split("\n").length, 1)
    const again = await json("group", "create", "once")
    assert.notStrictEqual(again.id, first.id)
    assert.match(await fails(1, "group", "delete", "once", "--yes"), /more than one group is called once: say which/)
    await run("group", "delete", again.id, "--yes")
  })

  it("can be made in an operator's name, who then owns it", async () => {
    const { owner_id } = await json("subscription", "create", "--title", "for bob", "--act-for", "bob")
    assert.strictEqual(owner_id, (await json("user", "show", "bob")).id)
    assert.match(await fails(4, "node", "list", "--act-for", "bob"), /^vpnmgr: /)
    assert.match(await fails(3, "status", "--act-for", "eve"), /there is no user/)
  })
})

describe("an exit code", () => {
  it("says what went wrong", async () => {
    await run("group", "create", "taken", "--json")
    const problem = JSON.parse(await fails(5, "user", "create", "bob", "--password-file", "password", "--json")) as Item
    assert.strictEqual(problem["code"], "already_exists")
    await fails(2, "group", "list", "--limit", "many")
    const wrong = JSON.parse(await fails(2, "group", "list", "--limit", "many", "--json")) as Item
    assert.match(String(wrong["detail"]), /limit/)
    await fails(1, "group", "list", "--limit", "1000")
    await fails(6, "user", "list", "--url", "http://127.0.0.1:1")
    await fails(4, "user", "list", "--url", /https?:\S+/.exec(server.output())![0])
  })

  it("is a success for a reader that stops reading", async () => {
    const script = `set -o pipefail; '${process.execPath}' '${main}' --help | head -n 1; echo "codes \${PIPESTATUS[*]}"`
    const shown = await new Promise<string>((resolve) => {
      execFile("bash", ["-c", script], { cwd: directory, env: environment() }, (_, stdout) => resolve(stdout))
    })
    assert.match(shown, /DESCRIPTION\ncodes 0 0/)
  })
})
