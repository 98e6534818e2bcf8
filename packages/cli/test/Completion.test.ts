import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { environment, vpnmgr, workplace } from "./Vpnmgr.ts"

const { directory, remove } = workplace()

const file = (shell: string) => join(directory, `vpnmgr.${shell}`)

beforeAll(async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await vpnmgr(directory, ["completion", shell])
    assert.strictEqual(code, 0)
    writeFileSync(file(shell), stdout)
  }
  mkdirSync(join(directory, "keys"))
  writeFileSync(join(directory, "keys/node.key"), "")
})
afterAll(remove)

/** What bash offers when Tab is pressed at the end of a line, as readline would call the completion. */
const offers = (line: string): ReadonlyArray<string> => {
  const script = [
    `source ${file("bash")}`,
    'COMP_LINE=$1; COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<<"$COMP_LINE"',
    '[[ $COMP_LINE != *" " ]] || COMP_WORDS+=("")',
    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))",
    "definition=$(complete -p vpnmgr)",
    '[[ $definition =~ -F[[:space:]]([^[:space:]]+) ]] && ${BASH_REMATCH[1]} vpnmgr "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"',
    'printf "%s\\n" "${COMPREPLY[@]}"'
  ].join("\n")
  const shell = ["--noprofile", "--norc", "-c", script, "bash", line]
  const found = execFileSync("bash", shell, { cwd: directory, env: environment(), encoding: "utf8" })
  return found
    .split("\n")
    .map((word) => word.trim())
    .filter((word) => word !== "")
    .sort()
}

/** A real shell that has what is needed; a message that says what is missing, else. */
const missing = (shell: string): string =>
  spawnSync(shell, ["-c", "true"]).status === 0 ? "" : ` (skipped: no ${shell}; apt-get install ${shell})`

describe("completion in bash", () => {
  it("offers commands", () => {
    assert.deepStrictEqual(offers("vpnmgr sub"), ["sub", "subscription"])
    assert.deepStrictEqual(offers("vpnmgr group "), ["change", "create", "delete", "list", "show"])
    assert.deepStrictEqual(offers("vpnmgr sub sus"), ["suspend"])
  })

  it("offers a command's flags, those of every command among them, and not twice what was said", () => {
    assert.deepStrictEqual(offers("vpnmgr group delete basic --y"), ["--yes"])
    assert.deepStrictEqual(offers("vpnmgr user list --js"), ["--json"])
    assert.includeMembers([...offers("vpnmgr group list --")], ["--all", "--limit", "--cursor", "--json", "--url"])
    assert.notInclude(offers("vpnmgr group list --all --"), "--all")
  })

  it("offers the words a flag takes, and files where it takes one", () => {
    assert.deepStrictEqual(offers("vpnmgr user create ada --role s"), ["superuser"])
    assert.deepStrictEqual(offers("vpnmgr completion "), ["bash", "fish", "powershell", "zsh"])
    assert.deepStrictEqual(offers("vpnmgr user create ada --password-file keys/n"), ["keys/node.key"])
  })

  it("offers nothing for what is no command", () => {
    assert.deepStrictEqual(offers("vpnmgr group nonsense-"), [])
  })
})

describe("completion in other shells", () => {
  const zsh = missing("zsh")
  it.skipIf(zsh !== "")(`is a script that zsh takes and completes by${zsh}`, () => {
    execFileSync("zsh", ["-n", file("zsh")])
    const script = `autoload -Uz compinit; compinit -u -D; source ${file("zsh")}; print -r -- $_comps[vpnmgr]`
    const bound = execFileSync("zsh", ["-f", "-c", script], { cwd: directory, env: environment(), encoding: "utf8" })
    assert.match(bound, /^_vpnmgr/)
  })

  const fish = missing("fish")
  it.skipIf(fish !== "")(`is a script by which fish completes${fish}`, () => {
    const complete = (line: string) =>
      execFileSync("fish", ["--no-config", "-c", `source ${file("fish")}; complete --do-complete "${line}"`], {
        cwd: directory,
        env: environment({ HOME: directory }),
        encoding: "utf8"
      })
        .split("\n")
        .map((line) => line.split("\t")[0])
    assert.include(complete("vpnmgr sub"), "subscription")
    assert.include(complete("vpnmgr group list --js"), "--json")
  })

  it("is refused for a shell nobody knows", async () => {
    const { code, stderr } = await vpnmgr(directory, ["completion", "csh"])
    assert.strictEqual(code, 2)
    assert.include(stderr, "bash")
  })
})
