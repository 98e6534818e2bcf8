import { assert, describe, it, vi } from "@effect/vitest"
import type { Command } from "effect/cli"
import { root, run } from "../src/Program.ts"
import { vpnmgr, workplace } from "./Vpnmgr.ts"

const paths = (command: Command.Command.Any, path: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => [
  path,
  ...command.subcommands.flatMap(({ commands }) => commands.flatMap((sub) => paths(sub, [...path, sub.name])))
]

const nouns = new Set(paths(root, []).flatMap((path) => [path.slice(0, -1).join(" ")]))

/** What a command line prints in this process, and its exit code. */
const printed = async (args: ReadonlyArray<string>) => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {})
  const code = await run(args)
  const text = log.mock.calls.map((call) => call.join(" ")).join("\n")
  log.mockRestore()
  return { code, text }
}

describe("help", () => {
  for (const path of paths(root, []))
    it(`is there for ${["vpnmgr", ...path].join(" ")}`, async () => {
      const { code, text } = await printed([...path, "--help"])
      assert.strictEqual(code, 0)
      assert.include(text, "DESCRIPTION")
      if (!nouns.has(path.join(" "))) assert.match(text, new RegExp(`EXAMPLES[^]*vpnmgr ${path.join(" ")}`))
    })

  it("is pointed to after a call that is none, with exit code 2", async () => {
    const { directory, remove } = workplace()
    const wrong = await vpnmgr(directory, ["user", "crate"])
    assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
    assert.match(wrong.stderr, /create[^]*See: vpnmgr user --help/)
    const size = await vpnmgr(directory, ["subscription", "create", "--max-traffic", "lots"])
    assert.strictEqual(size.code, 2)
    assert.include(size.stderr, "such as 10GB or 50GiB")
    remove()
  })

  it("says how to start a server when none runs", async () => {
    const { directory, remove } = workplace()
    const words = await vpnmgr(directory, ["user", "list"])
    assert.deepStrictEqual([words.code, words.stdout], [1, ""])
    assert.match(
      words.stderr,
      /^vpnmgr: no server runs on the data directory \.\/data, and no database is there: start one with `npm start`/
    )
    const json = await vpnmgr(directory, ["user", "list", "--json"])
    assert.match((JSON.parse(json.stderr) as { detail: string }).detail, /no server runs/)
    remove()
  })
})
