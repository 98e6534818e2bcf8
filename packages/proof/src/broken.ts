/**
 * The proof that the runs can fail: with idempotency, the epoch or the spool switched off in a test build, the crash run's
 * sums must not hold; with the same blows and nothing broken, they must. With configs kept for ten seconds whatever
 * changes, the replica run must find them stale; with a lease that lasts for an hour it must find that nobody follows a
 * holder that was killed, and with idempotency switched off that its own sums are wrong. The soak must find what is
 * counted twice.
 *
 *   npm run crash:broken
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import * as Plan from "./crash/Plan.ts"
import * as Expect from "./Expect.ts"
import * as Report from "./Report.ts"

const crash = fileURLToPath(new URL("./crash.ts", import.meta.url))
const replicas = fileURLToPath(new URL("./replicas.ts", import.meta.url))
const soak = fileURLToPath(new URL("./soak.ts", import.meta.url))

const run = async (...args: ReadonlyArray<string>) => started(crash, "--seed", "1", ...args)

const started = async (program: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] })
  let output = ""
  child.stdout.on("data", (part: Buffer) => (output += part.toString("utf8")))
  const [code] = (await once(child, "exit")) as [number | null]
  const lines = output.split("\n")
  return {
    code,
    output,
    wrong: lines.filter((line) => /^FAILED\s.*\ssum of /.test(line)),
    otherwise: lines.filter((line) => /^FAILED\s/.test(line) && !/\ssum of /.test(line))
  }
}

const difference = (line: string): string => /difference (-?\d+)/.exec(line)?.[1] ?? "?"

const report = Report.make(() => "printed above")
for (const rule of Object.keys(Plan.against)) {
  await report.sequence(rule, async () => {
    await report.step(`with ${rule} broken the sums are wrong`, async () => {
      const { code, otherwise, output, wrong } = await run("--break", rule)
      if (wrong.length === 0 || otherwise.length > 0) report.note(output)
      Expect.same("the exit code", code, 1)
      Expect.atLeast("sums that are wrong", wrong.length, 1)
      Expect.same("other failures", otherwise.length, 0)
      return `${wrong.length} of 4, truth - usage: ${wrong.map(difference).join(", ")} B`
    })
  })
}
await report.sequence("control", async () => {
  await report.step("with the blows of epoch and nothing broken they are right", async () => {
    const { code, output } = await run("--control", "epoch")
    if (code !== 0) report.note(output)
    Expect.same("the exit code", code, 0)
    return "three planned restarts, nothing missing"
  })
})
await report.sequence("config-cache", async () => {
  await report.step("with config-cache broken the replica run finds configs stale", async () => {
    const { code, output } = await started(replicas, "--only", "staleness", "--break", "config-cache")
    const stale = /^FAILED.*the longest staleness, ms: expected at most \d+, got \d+$/m.exec(output)
    if (stale === null) report.note(output)
    Expect.same("the exit code", code, 1)
    return Expect.present("a stale config", stale)[0].replace(/.*: /, "")
  })
})
for (const [rule, finds, pattern] of [
  ["lease", "that nobody follows a killed holder", /^FAILED.*another replica does what one does for all: not within/m],
  [
    "idempotency",
    "that sums are wrong",
    /^FAILED.*nothing was lost and nothing doubled.*\ssum of .*: expected \d+, got \d+$/m
  ]
] as const)
  await report.sequence(`replicas ${rule}`, async () => {
    await report.step(`with ${rule} broken the replica run finds ${finds}`, async () => {
      const options = ["--only", "many", "--count", "2", "--seed", "1", "--break", rule]
      const { code, output } = await started(replicas, ...options)
      const found = pattern.exec(output)
      if (found === null) report.note(output)
      Expect.same("the exit code", code, 1)
      return Expect.present("the failure", found)[0].replace(/.*\| /, "")
    })
  })
await report.sequence("soak", async () => {
  await report.step("with idempotency broken the soak finds usage wrong", async () => {
    const faults = ["--minutes", "0.3", "--faults", "cut before agents"]
    const { code, output } = await started(soak, "--seed", "1", ...faults, "--break", "idempotency")
    const wrong = /^FAILED.*usage by subscription and inbound.*usage of .*: expected .*, got .*$/m.exec(output)
    if (wrong === null) report.note(output)
    Expect.same("the exit code", code, 1)
    return Expect.present("a sum that is wrong", wrong)[0].replace(/.*: expected/, "expected")
  })
})
process.exit(report.end())
