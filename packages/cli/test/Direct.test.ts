/** Commands without a server: they open the store themselves, under the same rules, one at a time. */
import { afterAll, assert, describe, inject, it } from "@effect/vitest"
import { existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createDatabase, dropDatabase, missing } from "../../../scripts/vitest-postgres.ts"
import { ready, start, vpnmgr, workplace } from "./Vpnmgr.ts"

const postgresUrl = inject("postgresUrl")
const system = "00000000-0000-7000-8000-000000000000"
const serving = ["serve", "--listen", "127.0.0.1:0"]

interface Page {
  readonly items: ReadonlyArray<Record<string, unknown>>
}

/** Runs commands in a place of their own; each must succeed. */
const place = (env: Record<string, string> = {}) => {
  const { directory, remove } = workplace()
  const run = async (...args: ReadonlyArray<string>) => {
    const finished = await vpnmgr(directory, args, { env })
    assert.strictEqual(finished.code, 0, `vpnmgr ${args.join(" ")}: ${finished.stderr}`)
    return finished.stdout
  }
  const titles = async () => {
    const { items } = JSON.parse(await run("subscription", "list", "--json")) as Page
    return items.map(({ title }) => title)
  }
  return { directory, remove, run, titles, serve: () => start(directory, serving, ready, env) }
}

type Place = ReturnType<typeof place>

/** What must hold for every store. */
const obeys = async ({ run, serve, titles }: Place) => {
  await run("migrate")
  assert.match(await run("status"), /server +none runs[^]*its store/)
  await run("subscription", "create", "--title", "made without a server")
  assert.deepStrictEqual(await titles(), ["made without a server"])
  const { items } = JSON.parse(await run("audit", "list", "--json")) as Page
  assert.deepStrictEqual(
    items.map(({ action, actor_id }) => [action, actor_id]),
    [["subscription.create", system]]
  )

  const server = await serve()
  assert.match(await run("status"), /reached +by its socket/)
  await run("subscription", "create", "--title", "made by the server")
  assert.deepStrictEqual(await titles(), ["made without a server", "made by the server"])
  assert.strictEqual(await server.end("SIGTERM"), 0)

  assert.deepStrictEqual(await titles(), ["made without a server", "made by the server"])
}

describe("without a server", () => {
  const embedded = place()
  afterAll(embedded.remove)

  it("there is nothing to open where no store is, and none is made", async () => {
    const { directory, remove } = workplace()
    const { code, stderr } = await vpnmgr(directory, ["user", "list"])
    assert.strictEqual(code, 1)
    assert.match(stderr, /no server runs on the data directory \.\/data, and no database is there/)
    assert.isFalse(existsSync(join(directory, "data")))
    remove()
  })

  it("commands open the embedded store, and a server that runs wins", () => obeys(embedded))

  it("a lost password is given anew, and is good for the next server", async () => {
    const { directory, run, serve } = embedded
    writeFileSync(join(directory, "password"), "correct horse battery staple\n")
    await run("user", "create", "ada", "--role", "superuser", "--password-file", "password")
    const reset = await run("admin", "reset-password", "ada", "--generate")
    writeFileSync(join(directory, "made"), /^password +(\S+)/m.exec(reset)![1]!)
    const server = await serve()
    const url = ready.exec(server.output())![1]!
    const login = (file: string) => vpnmgr(directory, ["login", "ada", "--url", url, "--password-file", file])
    assert.deepStrictEqual([(await login("password")).code, (await login("made")).code], [4, 0])
    await server.end("SIGTERM")
  })

  it("commands wait for each other: one process has the store at a time", async () => {
    const before = (await embedded.titles()).length
    await Promise.all(["one", "two", "three"].map((title) => embedded.run("subscription", "create", "--title", title)))
    assert.strictEqual((await embedded.titles()).length, before + 3)
  })

  it("refuses, and names the process, while another keeps the store without answering", async () => {
    const server = await embedded.serve()
    rmSync(join(embedded.directory, "data/vpnmgr.sock"))
    const { code, stderr } = await vpnmgr(embedded.directory, ["subscription", "list"])
    assert.strictEqual(code, 6)
    assert.include(stderr, `Another process (${server.child.pid}) works in ./data`)
    await server.end("SIGKILL")
    assert.isNotEmpty(await embedded.titles())
  })

  it("asks for the settings the store was made with", async () => {
    const other = await vpnmgr(embedded.directory, ["subscription", "list"], { env: { VPNMGR_GRAIN: "10s" } })
    assert.strictEqual(other.code, 1)
    assert.match(other.stderr, /made with a grain of 1h/)
  })

  it.skipIf(postgresUrl === null)(
    `commands open PostgreSQL, and a server that runs wins${postgresUrl === null ? ` (skipped: ${missing})` : ""}`,
    async () => {
      const url = await createDatabase(postgresUrl!)
      const there = place({
        VPNMGR_DATABASE_URL: url,
        VPNMGR_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64")
      })
      await obeys(there)
      assert.isFalse(existsSync(join(there.directory, "data/pgdata")))
      there.remove()
      await dropDatabase(url)
    }
  )
})
