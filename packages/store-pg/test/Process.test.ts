/** An embedded store and the processes around it: one at a time on a directory, and a killed one loses nothing it said. */
import { assert, describe, it } from "@effect/vitest"
import { SettingStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { PgliteStores } from "../src/index.ts"
import { vault } from "./Databases.ts"

interface Child {
  readonly process: ChildProcess
  readonly lines: Array<string>
  /** Waits for a line that starts so. */
  readonly heard: (start: string) => Promise<string>
}

const start = (directory: string): Child => {
  const process_ = spawn(process.execPath, [new URL("child.ts", import.meta.url).pathname, directory], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const lines: Array<string> = []
  const reader = createInterface({ input: process_.stdout })
  reader.on("line", (line) => lines.push(line))
  const heard = async (start: string) => {
    for (;;) {
      const line = lines.findLast((line) => line.startsWith(start))
      if (line !== undefined) return line
      if (process_.exitCode !== null) throw new Error(`ended without saying ${start}: ${lines.join(" | ")}`)
      await Promise.race([once(reader, "line"), once(process_, "exit")])
    }
  }
  return { process: process_, lines, heard }
}

const kill9 = async (child: Child) => {
  child.process.kill("SIGKILL")
  await once(child.process, "close")
}

const numbers = (child: Child) =>
  child.lines.flatMap((line) => (line.startsWith("written ") ? [Number(line.slice(8))] : []))

describe("A process with an embedded store", () => {
  it("refuses a second one on its directory, is unharmed by it, and loses no acknowledged write when it is killed", async () => {
    const directory = await mkdtemp(join(tmpdir(), "vpnmgr-pglite-"))
    const first = start(directory)
    try {
      await first.heard("written")
      const second = start(directory)
      assert.include(await second.heard("refused"), "works in")
      await once(second.process, "close").catch(() => undefined)

      const before = numbers(first).length
      while (numbers(first).length < before + 20) await new Promise((resolve) => setTimeout(resolve, 20))
      await kill9(first)
      const acknowledged = numbers(first)

      const present = await Effect.runPromise(
        Effect.gen(function* () {
          const settings = yield* SettingStore.SettingStore
          return yield* Effect.forEach(acknowledged, (count) => settings.get(`written.${count}`))
        }).pipe(Effect.provide(PgliteStores.layer({ directory }).pipe(Layer.provide(vault()))))
      )
      assert.strictEqual(present.filter((value) => value === "x").length, acknowledged.length)
      assert.isAbove(acknowledged.length, 20)
    } finally {
      first.process.kill("SIGKILL")
      await rm(directory, { recursive: true, force: true })
    }
  }, 240_000)
})
