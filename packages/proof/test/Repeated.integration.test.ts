/** Equal requests at a real server on a real PostgreSQL: at once, at two replicas, and around a kill. */
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, assert, beforeAll, describe, inject, it } from "vitest"
import { cliMain } from "../src/Arena.ts"
import { createDatabase, missing } from "../src/Postgres.ts"
import * as Server from "../src/Server.ts"

const postgres = inject("postgresUrl")

let directory = ""
let servers: ReadonlyArray<Server.Server> = []
let token = ""

interface Answer {
  readonly status: number
  readonly text: string
  readonly replayed: boolean
}

const ask = async (server: Server.Server, route: string, body?: unknown, key?: string): Promise<Answer> => {
  const [method = "", path = ""] = route.split(" ")
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      ...(key === undefined ? {} : { "idempotency-key": key })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const replayed = response.headers.get("idempotency-replayed") === "true"
  return { status: response.status, text: await response.text(), replayed }
}

const titles = async (): Promise<ReadonlyArray<string>> => {
  const { text } = await ask(servers[0]!, "GET /api/v1/subscriptions?limit=200")
  return (JSON.parse(text) as { readonly items: ReadonlyArray<{ readonly title: string }> }).items.map(
    ({ title }) => title
  )
}

describe.skipIf(postgres === null)(`A repeated request${postgres === null ? `: skipped, ${missing}` : ""}`, () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "vpnmgr-repeated-"))
    const databaseUrl = await createDatabase(postgres!)
    const encryptionKey = randomBytes(32).toString("base64")
    const make = (name: string) => Server.make({ main: cliMain, databaseUrl, encryptionKey, directory, name })
    servers = [await make("first"), await make("second")]
    await servers[0]!.start()
    const first = { username: "ada", password: "correct horse battery" }
    await ask(servers[0]!, "POST /api/v1/setup", { secret: await servers[0]!.setupSecret(), ...first })
    await servers[1]!.start()
    token = (JSON.parse((await ask(servers[0]!, "POST /api/v1/session", first)).text) as { readonly token: string })
      .token
  })

  afterAll(async () => {
    for (const server of servers) await server.stop("SIGKILL")
    await rm(directory, { recursive: true, force: true })
  })

  it("is done once when twenty equal ones come at once, at two servers", async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask(servers[index % 2]!, "POST /api/v1/subscriptions", { title: "at once" }, "at-once")
      )
    )
    const made = answers.filter(({ status }) => status === 201)
    assert.deepStrictEqual(
      [...new Set(answers.map(({ status }) => status))].sort().filter((status) => status !== 409),
      [201]
    )
    assert.strictEqual(made.filter(({ replayed }) => !replayed).length, 1)
    assert.strictEqual(new Set(made.map(({ text }) => text)).size, 1)
    assert.strictEqual((await titles()).filter((title) => title === "at once").length, 1)
    for (const server of servers) {
      const later = await ask(server, "POST /api/v1/subscriptions", { title: "at once" }, "at-once")
      assert.deepStrictEqual([later.text, later.replayed], [made[0]!.text, true])
    }
  })

  it("is done once by a server that is killed under load and asked again", async () => {
    const asked = Array.from({ length: 60 }, (_, index) => ({ title: `killed ${index}`, key: `killed-${index}` }))
    const post = ({ title, key }: { readonly title: string; readonly key: string }) =>
      ask(servers[0]!, "POST /api/v1/subscriptions", { title }, key).catch(() => null)
    const answered: Array<Answer> = []
    const first = Promise.all(
      asked.map(async (each) => {
        const answer = await post(each)
        if (answer !== null) answered.push(answer)
        return answer
      })
    )
    while (answered.length < 10) await sleep(5)
    await servers[0]!.stop("SIGKILL")
    const before = await first
    await servers[0]!.start()
    const again = await Promise.all(asked.map(post))
    const stood = again.filter((answer) => answer?.replayed === true).length
    assert.isAtLeast(stood, before.filter((answer) => answer?.status === 201).length)
    assert.isAtLeast(stood, 10)
    assert.isBelow(stood, asked.length)
    for (const [index, answer] of again.entries()) {
      assert.strictEqual(answer?.status, 201, answer?.text)
      const earlier = before[index]
      if (earlier?.status === 201) assert.deepStrictEqual([answer!.text, answer!.replayed], [earlier.text, true])
    }
    const found = (await titles()).filter((title) => title.startsWith("killed"))
    assert.deepStrictEqual(found.toSorted(), asked.map(({ title }) => title).toSorted())
  })
})
