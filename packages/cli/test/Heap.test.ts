import { assert, describe, it } from "@effect/vitest"
import { afterAll } from "vitest"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { vpnmgr, workplace } from "./Vpnmgr.ts"

const { directory, remove } = workplace()
afterAll(remove)

const spy = join(directory, "spy.mjs")
writeFileSync(spy, "process.stderr.write(`spy ${process.pid} ${process.execArgv}|${process.env.MALLOC_ARENA_MAX}\\n`)")

/** Runs a command that ends at once, and answers each beginning of its process: its id, Node's own arguments, the arenas. */
const beginnings = async (args: ReadonlyArray<string>, options = "") => {
  const { code, stderr } = await vpnmgr(directory, args, {
    env: { NODE_OPTIONS: `--import=${pathToFileURL(spy).href} ${options}` }
  })
  const found = [...stderr.matchAll(/^spy (\d+) (.*)\|(.*)$/gm)]
  return { code, found: found.map(([, pid, execArgv, arenas]) => ({ pid, execArgv, arenas })) }
}

const bounded = "--max-semi-space-size=16"

describe("the heap of a daemon", () => {
  for (const daemon of ["serve", "agent"])
    it(`is bounded for ${daemon}, by beginning the same process anew, with all its arguments`, async () => {
      const { code, found } = await beginnings(["--json", daemon, "--nonsense"])
      assert.strictEqual(code, 2)
      assert.lengthOf(found, 2)
      assert.strictEqual(found[0]?.pid, found[1]?.pid)
      assert.notInclude(found[0]?.execArgv, bounded)
      assert.include(found[1]?.execArgv, bounded)
      assert.deepStrictEqual([found[0]?.arenas, found[1]?.arenas], ["undefined", "1"])
    })

  it("is as large as whoever starts it has said", async () => {
    const { found } = await beginnings(["serve", "--nonsense"], "--max-semi-space-size=32")
    assert.lengthOf(found, 1)
  })

  it("is Node's own for every other command", async () => {
    const { code, found } = await beginnings(["status", "--nonsense"])
    assert.strictEqual(code, 2)
    assert.lengthOf(found, 1)
  })
})
