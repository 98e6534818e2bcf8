import { Effect, Exit } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Directory from "../src/internal/Directory.ts"

const holder = (directory: string) => `
  import { Effect } from "effect"
  import { hold } from ${JSON.stringify(new URL("../src/internal/Directory.ts", import.meta.url).href)}
  Effect.runFork(Effect.scoped(Effect.gen(function* () {
    yield* hold(${JSON.stringify(directory)})
    console.log("held")
    yield* Effect.never
  })))
  setInterval(() => {}, 1000)
`

describe("Directory", () => {
  let directory = ""
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), "directory-")), "plane")
  })
  afterEach(() => rmSync(join(directory, ".."), { recursive: true, force: true }))

  const hold = () => Effect.runPromiseExit(Effect.scoped(Directory.hold(directory)))

  it("is its owner's alone", async () => {
    assert.isTrue(Exit.isSuccess(await hold()))
    assert.strictEqual(statSync(directory).mode & 0o777, 0o700)
  })

  it("is held by one at a time, and free again after kill -9", async () => {
    const other = spawn(process.execPath, ["--input-type=module-typescript", "--eval", holder(directory)], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: import.meta.dirname
    })
    await once(other.stdout, "data")
    assert.isTrue(Exit.isFailure(await hold()))
    other.kill("SIGKILL")
    await once(other, "exit")
    assert.isTrue(Exit.isSuccess(await hold()))
    assert.isTrue(Exit.isSuccess(await hold()))
  })

  it("keeps files to their owner, whole", async () => {
    await hold()
    const path = join(directory, "a.json")
    await Effect.runPromise(Directory.write(path, "one"))
    await Effect.runPromise(Directory.write(path, "two"))
    assert.strictEqual(readFileSync(path, "utf8"), "two")
    assert.strictEqual(statSync(path).mode & 0o777, 0o600)
  })
})
