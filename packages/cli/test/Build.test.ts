import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const home = fileURLToPath(new URL("..", import.meta.url))

/** All JavaScript in a directory of the package. */
const scripts = (directory: string): string =>
  readdirSync(`${home}/${directory}`)
    .filter((name) => name.endsWith(".js"))
    .map((name) => readFileSync(`${home}/${directory}/${name}`, "utf8"))
    .join("\n")

describe("the build", () => {
  it("has no switch of crash proofs in what is published", () => {
    assert.include(scripts("dist"), "Program")
    for (const directory of ["dist", "../core/dist", "../node-agent/dist"]) {
      assert.notMatch(scripts(directory), /VPNMGR_(KILL_AT|BREAK")/)
    }
  })

  it("has them on in the test build, for the server and for the agent", () => {
    execFileSync("npm", ["run", "--silent", "build:test"], { cwd: home, stdio: "pipe" })
    const all = scripts("dist-test")
    assert.notInclude(all, "__VPNMGR_TEST_BUILD__")
    assert.lengthOf(all.match(/process\.env\["VPNMGR_KILL_AT"\]/g) ?? [], 2)
    assert.notMatch(all, /from "@vpnmgr\//)
    const version = execFileSync(process.execPath, [`${home}/dist-test/main.js`, "--version"]).toString()
    assert.match(version, /^vpnmgr v\d/)
  })
})
