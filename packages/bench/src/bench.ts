/**
 * The benchmark: the built server as a process of its own on a PostgreSQL of its own, load from another process, and
 * each case in turn with its yardstick.
 *
 *   npm run bench                                              every case, 1,000, 100,000 and 1,000,000 subscriptions
 *   npm run bench -- uncached --subscriptions 1000,1000000     one case, two sizes
 *   npm run bench -- --smoke                                   that everything runs and is answered rightly; no goals
 *
 * It prints a table, writes everything it saw as JSON, and ends with 1 when a goal is missed.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { loadavg, tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { Namespace, Postgres } from "@vpnmgr/proof"
import { cases } from "./cases.ts"
import * as Figures from "./Figures.ts"
import * as Machine from "./Machine.ts"
import * as Raw from "./Raw.ts"
import * as Site from "./Site.ts"
import * as Statements from "./Statements.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    subscriptions: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    output: { type: "string", default: "bench.json" },
    smoke: { type: "boolean", default: false }
  }
})

/** Seconds that a case may take with the defaults, if it says nothing else. */
const usualBudget = 150

const settings = { shared_buffers: "512MB", max_wal_size: "8GB", ...Statements.settings }

/** A whole number of at least 1. */
const whole = (name: string, text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: expected a whole number, not ${text}`)
  return value
}

const unknown = positionals.find((name) => cases.every((each) => each.name !== name))
if (unknown !== undefined) {
  console.error(`There is no case ${unknown}; there are: ${cases.map(({ name }) => name).join(", ")}`)
  process.exit(2)
}
const lacking = Namespace.isEntered()
  ? undefined
  : (Namespace.missing() ?? ((await Postgres.findBinaries()) === null ? Postgres.missing : undefined))
if (lacking !== undefined) {
  console.error(`bench cannot run: ${lacking}`)
  process.exit(2)
}
if (!Namespace.isEntered()) process.exit(await Namespace.run())

const began = Date.now()
const note = (text: string) => console.log(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${text}`)
const sizes = (values.subscriptions ?? (values.smoke ? "1000" : "1000,100000,1000000"))
  .split(",")
  .map((text) => whole("subscriptions", text))
  .sort((a, b) => a - b)
const rounds = whole("rounds", values.rounds ?? (values.smoke ? "1" : "3"))
const seconds = whole("seconds", values.seconds ?? (values.smoke ? "1" : "8"))

/** Where the command was given, not where npm runs it. */
const output = resolve(process.env["INIT_CWD"] ?? ".", values.output)

const directory = await mkdtemp(join(tmpdir(), "vpnmgr-bench-"))
const postgres = await Postgres.make({ settings })
await Statements.rest(postgres.url)
const machine = await Machine.read(postgres.url)
console.log(Machine.line(machine))
const sites: Array<Site.Site> = []
for (const subscriptions of sizes) {
  sites.push(await Site.open({ postgres, directory, subscriptions, note }))
  note(`${subscriptions} subscriptions are there`)
}
const raw = await Raw.start(sites[0]!.config)
const open = (subscriptions: number, name: string) => Site.open({ postgres, directory, subscriptions, name, note })
const bench = { sites, raw, open, rounds, seconds, note }

const rows: Array<Figures.Row> = []
const broken: Array<string> = []
const times: Array<{ readonly name: string; readonly seconds: number; readonly budget: number }> = []

/** Writes what was seen so far, after each case: a run that is ended keeps what it has. */
const save = () => {
  const judged = rows.map((row) => ({ ...row, median: Figures.median(row.values), met: Figures.isMet(row) }))
  const all = { at: new Date(), machine, config: raw.length, rounds, seconds, rows: judged, broken, times }
  return writeFile(output, JSON.stringify(all, null, 2))
}

for (const { budget = usualBudget, name, run } of cases.filter(
  (each) => positionals.length === 0 || positionals.includes(each.name)
)) {
  const load = loadavg()[0]!.toFixed(1)
  const started = Date.now()
  try {
    const found = await run(bench)
    rows.push(...found)
    note(`${name} is measured; the machine's load before it was ${load}`)
  } catch (cause) {
    broken.push(name)
    note(`${name} FAILED: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  const took = (Date.now() - started) / 1000
  times.push({ name, seconds: took, budget })
  await save()
  if (took > budget) note(`${name} took ${took.toFixed(0)} s, more than its budget of ${budget} s`)
}
raw.close()
for (const { server } of sites) await server.stop()
await postgres.remove()
if (broken.length === 0) await rm(directory, { recursive: true, force: true })
else note(`logs: ${directory}`)

const missed = rows.filter((row) => !Figures.isMet(row))
console.log(`\n${Figures.table(rows)}\n`)
console.log(`${output}: all that was seen; a config has ${raw.length} bytes`)
if (values.smoke) console.log(`smoke: ${rows.length} rows, ${broken.length} cases failed; goals are not judged`)
else console.log(`${rows.length - missed.length} goals met, ${missed.length} missed, ${broken.length} cases failed`)
process.exit(broken.length > 0 || rows.length === 0 || (!values.smoke && missed.length > 0) ? 1 : 0)
