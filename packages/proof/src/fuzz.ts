/**
 * The fuzz run: every operation of the served OpenAPI document, as a superuser, an operator and a node's agent, with what
 * schemathesis makes of its schema and with ids of real things. And the control: through a proxy that spoils answers, the
 * same run must find each thing that is wrong.
 *
 *   npm run fuzz -- --cases 100 --seed 1 --role operator --only subscriptions.get
 */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Expect from "./Expect.ts"
import * as Python from "./fuzz/Python.ts"
import * as Spoiler from "./fuzz/Spoiler.ts"
import * as Target from "./fuzz/Target.ts"
import * as Main from "./Main.ts"
import * as Postgres from "./Postgres.ts"
import type * as Report from "./Report.ts"

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", multiple: true, default: [] },
    role: { type: "string", multiple: true, default: [...Python.roles] },
    "no-control": { type: "boolean", default: false },
    keep: { type: "boolean", default: false }
  }
})
const [cases, seed] = [Number(values.cases), Number(values.seed)]
const wanted = Python.roles.filter((role) => values.role.includes(role))

const said = ({ answer, check, count, detail, operation, request }: Python.Failure) =>
  [
    `${operation}: ${check}, ${count} times`,
    ...detail.split("\n").slice(0, 12),
    ...(request === undefined ? [] : [`asked: ${request}`, `answered: ${answer}`])
  ]
    .map((line) => line.slice(0, 600))
    .join("\n         ")

const asRole = async (python: string, role: Python.Role, directory: string, report: Report.Report) => {
  const target = await Target.open(directory, role)
  const log = join(target.directory, "fuzz.log")
  try {
    const { database, server, token } = target
    const options = { url: server.url, databaseUrl: database.url, token, role, cases, seed, only: values.only, log }
    await report.step(`as ${role}`, async () => {
      const { failures, operations, seconds, slowest, tables } = await Python.run(python, options)
      const lines = (await readFile(log, "utf8")).split("\n").filter((line) => / cases /.test(line))
      for (const line of lines) report.note(`${role.padEnd(10)} ${line}`)
      for (const failure of failures) report.note(said(failure))
      Expect.same("what did not hold", failures.map(({ check, operation }) => `${operation} ${check}`).join(", "), "")
      const asked = operations.reduce((sum, { cases }) => sum + cases, 0)
      const few = operations.filter(({ cases, wanted }) => cases < wanted).map(({ name }) => name)
      Expect.same("operations with too few cases", few.join(", "), "")
      Expect.atLeast("operations", operations.length, 1)
      const reached = operations.filter((operation) => operation.reached).length
      const may = operations.filter((operation) => operation.may).length
      return `${operations.length} operations, ${asked} cases in ${seconds} s, seed ${seed}; ${reached} reached a 2xx (the role may do ${may}); ${tables} tables watched; slowest ${slowest}`
    })
  } finally {
    await target.close()
  }
}

/** Each planted defect is found, and nothing else is. */
const control = async (python: string, directory: string, report: Report.Report) => {
  const target = await Target.open(directory, "control")
  const spoiler = await Spoiler.start(target.server.url, target.token)
  try {
    await report.step("control: planted defects are found", async () => {
      const log = join(target.directory, "fuzz.log")
      const { database, token } = target
      const only = Spoiler.operations
      const options = {
        url: spoiler.url,
        databaseUrl: database.url,
        token,
        role: "superuser",
        cases: 60,
        seed
      } as const
      const { failures } = await Python.run(python, { ...options, only, log })
      const found = failures.map(({ check, operation }) => `${operation} ${check}`)
      for (const planted of Spoiler.planted)
        Expect.holds(`${planted} is among ${found.join(", ")}`, found.includes(planted))
      return `${found.join(", ")}; ${spoiler.spoilt()} answers were spoilt`
    })
  } finally {
    spoiler.close()
    await target.close()
  }
}

await Main.main("fuzz", async (report, place) => {
  if ((await Postgres.findBinaries()) === null) return report.skip("fuzz", Postgres.missing)
  const python = Python.find()
  if (python === undefined) return report.skip("fuzz", Python.missing)
  const directory = await mkdtemp(join(tmpdir(), "vpnmgr-fuzz-"))
  place.directory = directory
  for (const role of wanted) await report.sequence(role, () => asRole(python, role, directory, report))
  if (!values["no-control"]) await report.sequence("control", () => control(python, directory, report))
  if (!values.keep && report.failed() === 0) await rm(directory, { recursive: true, force: true })
})
