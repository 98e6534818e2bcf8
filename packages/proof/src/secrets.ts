/**
 * The search for secrets: the whole API is used through a proxy that gathers every password, key, token, link and derived
 * value that passes by, from an address and with a device of its own. Then nothing of it, in any form, may be in a log at
 * its most talkative, in PostgreSQL's log of every statement, in the metrics, or in a dump.
 *
 *   npm run secrets -- --cases 20 --seed 1
 */
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Expect from "./Expect.ts"
import * as Harvest from "./fuzz/Harvest.ts"
import * as Proxy from "./fuzz/Proxy.ts"
import * as Python from "./fuzz/Python.ts"
import * as Target from "./fuzz/Target.ts"
import * as Main from "./Main.ts"
import * as Postgres from "./Postgres.ts"
import type * as Report from "./Report.ts"

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    keep: { type: "boolean", default: false }
  }
})

/** Whose requests these are, as a server sees it: the address of the socket, what a proxy says, the device. */
const client = {
  address: "127.77.88.99",
  forwarded: "203.0.113.177",
  device: "DistinctivePhone/17.3 (nobody else's)"
}
const clientHeaders = {
  "x-forwarded-for": client.forwarded,
  "x-real-ip": client.forwarded,
  forwarded: `for=${client.forwarded}`,
  "user-agent": client.device
}

/** The only operation that a superuser, an operator and an agent together cannot do again. */
const once = ["setup.create"]

/** The files of `paths` that hold one of the patterns, with it: `file: pattern`. */
const search = (patterns: ReadonlyArray<string>, patternFile: string, paths: ReadonlyArray<string>) =>
  writeFile(patternFile, patterns.join("\n")).then(
    () =>
      new Promise<ReadonlyArray<string>>((resolve, reject) => {
        const args = ["-a", "-o", "-H", "-F", "-f", patternFile, ...paths]
        execFile("grep", args, { maxBuffer: 2 ** 28, env: { ...process.env, LC_ALL: "C" } }, (error, stdout) => {
          if (error !== null && error.code !== 1) reject(error)
          else resolve([...new Set(stdout.split("\n").filter((line) => line !== ""))])
        })
      })
  )

const use = async (python: string, target: Target.Target, proxy: Proxy.Proxy) => {
  const reached = new Set<string>()
  const all = new Set<string>()
  for (const role of Python.roles) {
    const { operations } = await Python.run(python, {
      url: proxy.url,
      databaseUrl: target.database.url,
      token: await target.signIn(),
      role,
      cases: Number(values.cases),
      seed: Number(values.seed),
      only: [],
      log: join(target.directory, `${role}.fuzz`)
    })
    for (const operation of operations) {
      all.add(operation.name)
      if (operation.reached) reached.add(operation.name)
    }
  }
  const missing = [...all].filter((name) => !reached.has(name) && !once.includes(name))
  Expect.same("operations that nobody could do", missing.join(", "), "")
  return reached.size
}

/** Asks for what is shown once, and again under the same key: the second answer must not have it. Answers how many. */
const askTwice = async (url: string, token: string, harvest: Harvest.Harvest) => {
  const post = async (path: string, body?: object, key = crypto.randomUUID()) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": key },
      body: body === undefined ? null : JSON.stringify(body)
    })
    return { text: await response.text(), isReplay: response.headers.get("idempotency-replayed") === "true" }
  }
  const made = async (path: string, body: object) =>
    (JSON.parse((await post(path, body)).text) as { readonly id: string }).id
  const node = await made("/nodes", {})
  const user = await made("/users", { username: "twice", password: "twelve characters", role: "operator" })
  const twice: ReadonlyArray<readonly [path: string, field: string, body?: object]> = [
    [`/nodes/${node}/tokens`, "key"],
    [`/users/${user}/password`, "password", {}]
  ]
  for (const [path, field, body] of twice) {
    const key = crypto.randomUUID()
    const first = await post(path, body, key)
    const again = await post(path, body, key)
    const secret = (JSON.parse(first.text) as Record<string, string>)[field]!
    Expect.holds(`${path} shows ${field} once`, secret.length >= 12 && again.isReplay && !again.text.includes(secret))
    Expect.same(`${field} was gathered`, harvest.secrets.has(secret), true)
  }
  return twice.length
}

/** Fetches configs through the proxy, and gathers what opens inbounds. */
const fetchConfigs = async (url: string, links: ReadonlyArray<string>, harvest: Harvest.Harvest) => {
  let fetched = 0
  for (const link of links) {
    const response = await fetch(`${url}/s/${link}`)
    if (response.status !== 200) continue
    Harvest.fromBody(harvest, "GET /s/:link", await response.json())
    fetched += 1
  }
  return fetched
}

const run = async (python: string, directory: string, report: Report.Report) => {
  const target = await Target.open(directory, "secrets", {
    postgres: { log_statement: "all" },
    env: { VPNMGR_LOG_LEVEL: "trace", VPNMGR_RANDOM_LINKS: "yes" }
  })
  const harvest = Harvest.make()
  const proxy = await Proxy.start(target.server.url, {
    from: client.address,
    headers: clientHeaders,
    on: (exchange) => {
      Harvest.fromExchange(harvest, exchange)
      return undefined
    }
  })
  try {
    await report.step("the whole API is used", async () => {
      const reached = await use(python, target, proxy)
      const links = [...harvest.secrets].filter(([, what]) => what === "a link").map(([link]) => link)
      const fetched = await fetchConfigs(proxy.url, links, harvest)
      Expect.atLeast("configs fetched", fetched, 10)
      const twice = await askTwice(proxy.url, await target.signIn(), harvest)
      return `${reached} operations by superuser, operator and agent; ${links.length} links, ${fetched} configs fetched; ${twice} secrets not shown again`
    })
    const secrets = new Map(Harvest.secret(harvest, await target.database.schema()))
    secrets.set(target.password, "the first superuser's password")
    secrets.set(target.encryptionKey, "the encryption key")
    secrets.set(decodeURIComponent(new URL(target.database.url).password), "the database's password")
    for (const [what, text] of Object.entries(client)) secrets.set(text, `the client's ${what}`)

    const names = new Map([...secrets].flatMap(([secret, what]) => Harvest.forms(secret).map((form) => [form, what])))
    const kept = async (name: string, text: string) => {
      const path = join(target.directory, name)
      await writeFile(path, text)
      return path
    }
    const page = async (path: string) => (await fetch(`${target.server.url}${path}`)).text()
    const dump = join(target.directory, "dump.sql")
    const places = [
      target.server.log,
      join(target.database.postgres.directory, "server.log"),
      await kept("metrics.txt", await page("/metrics")),
      await kept("openapi.json", await page("/openapi.json")),
      dump
    ]
    const patterns = [...names.keys()]
    const found = async () => {
      await writeFile(dump, await target.database.dump())
      return search(patterns, join(target.directory, "patterns"), places)
    }

    await report.step("no secret is in any of it", async () => {
      const kinds = new Map<string, number>()
      for (const what of secrets.values()) {
        const kind = what.split(" of ")[0]!
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      }
      for (const kind of ["a link", "a bearer token", "password", "key", "uuid", "private_key"])
        Expect.atLeast(`secrets gathered: ${kind}`, kinds.get(kind) ?? 0, 1)
      const hits = await found()
      const said = hits.map((hit) => {
        const at = hit.indexOf(":")
        const form = hit.slice(at + 1)
        return `${names.get(form) ?? "what was not asked for"} (${form}) in ${hit.slice(0, at)}`
      })
      Expect.same("found", [...new Set(said)].slice(0, 20).join("; "), "")
      const bytes = (await Promise.all(places.map((place) => readFile(place)))).map(({ length }) => length)
      return `${secrets.size} secrets (${[...kinds].map(([kind, count]) => `${kind} ${count}`).join(", ")}) in ${patterns.length} forms, ${bytes.map((size) => `${(size / 1e6).toFixed(1)} MB`).join(", ")}: none`
    })
    await report.step("control: what is planted is found in every place", async () => {
      const [secret] = [...secrets].find(([, what]) => what.startsWith("private_key"))!
      const [form] = Harvest.forms(secret)
      await target.database.query(
        `CREATE SCHEMA planted; CREATE TABLE planted.one AS SELECT '${form}'::text AS plain, ` +
          `convert_to('${form}', 'UTF8') AS bytes, replace(encode(convert_to('${form}', 'UTF8'), 'base64'), chr(10), '') AS base64`
      )
      for (const place of places) if (place !== dump) await writeFile(place, `\n${form}\n`, { flag: "a" })
      const hits = await found()
      for (const place of places)
        Expect.atLeast(`hits in ${place}`, hits.filter((hit) => hit.startsWith(`${place}:`)).length, 1)
      const inDump = hits.filter((hit) => hit.startsWith(`${dump}:`)).length
      Expect.same("forms found in the dump: plain, hex, base64", inDump, 3)
      return `${hits.length} found in ${places.length} places, ${inDump} forms in the dump`
    })
  } finally {
    proxy.close()
    await target.close()
  }
}

await Main.main("secrets", async (report, place) => {
  if ((await Postgres.findBinaries()) === null) return report.skip("secrets", Postgres.missing)
  const python = Python.find()
  if (python === undefined) return report.skip("secrets", Python.missing)
  const directory = await mkdtemp(join(tmpdir(), "vpnmgr-secrets-"))
  place.directory = directory
  await report.sequence("secrets", () => run(python, directory, report))
  if (!values.keep && report.failed() === 0) await rm(directory, { recursive: true, force: true })
})
