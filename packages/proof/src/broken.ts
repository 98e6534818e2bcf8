/**
 * The proof that the crash run can fail: with idempotency, the epoch or the spool switched off in a test build, its sums
 * must not hold; with the same blows and nothing broken, they must.
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

const run = async (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [crash, "--seed", "1", ...args], { stdio: ["ignore", "pipe", "inherit"] })
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
process.exit(report.end())
