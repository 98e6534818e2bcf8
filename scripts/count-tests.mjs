/**
 * Adds up the vitest reports that `.ci/run` had written (`packages/<name>/.turbo/vitest.json`), names what failed or was
 * skipped, and ends with a line of two numbers: passed, and failed or skipped. A package whose tests left no report and
 * a file that could not be loaded count as one failure each. JavaScript, since it also runs on the host's own Node.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"

const [root = "packages"] = process.argv.slice(2)
let passed = 0
let failed = 0

const fail = (line) => {
  failed += 1
  console.log(`        ${line}`)
}

for (const name of readdirSync(root).toSorted()) {
  const manifest = join(root, name, "package.json")
  if (!existsSync(manifest) || JSON.parse(readFileSync(manifest, "utf8")).scripts?.test === undefined) continue
  const report = join(root, name, ".turbo", "vitest.json")
  if (!existsSync(report)) {
    fail(`${name}: its tests left no report`)
    continue
  }
  for (const file of JSON.parse(readFileSync(report, "utf8")).testResults) {
    const where = `${name}: ${relative(resolve(root, name), file.name)}`
    if (file.status === "failed" && file.assertionResults.every(({ status }) => status !== "failed")) {
      fail(`${where}: failed outside its tests: ${String(file.message).split("\n")[0]}`)
    }
    for (const { status, fullName } of file.assertionResults) {
      if (status === "passed") passed += 1
      else fail(`${where}: ${status === "failed" ? "FAILED" : "skipped"}: ${fullName}`)
    }
  }
}
console.log(`${passed} ${failed}`)
