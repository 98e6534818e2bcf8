/** The fuzzer itself: the program in `fuzz/`, run by the Python of `scripts/install-schemathesis.sh`. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { createWriteStream } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

export const roles = ["superuser", "operator", "node"] as const
export type Role = (typeof roles)[number]

/** What did not hold: the first time, and how often. */
export interface Failure {
  readonly operation: string
  readonly check: string
  readonly count: number
  readonly detail: string
  readonly request?: string
  readonly answer?: string
}

export interface Outcome {
  readonly role: Role
  readonly operations: ReadonlyArray<{
    readonly name: string
    readonly cases: number
    /** Fewer than was said where an agent is refused at the door. */
    readonly wanted: number
    readonly reached: boolean
    /** Whether the role may do it at all. */
    readonly may: boolean
  }>
  readonly failures: ReadonlyArray<Failure>
  /** Tables whose changes were watched. */
  readonly tables: number
  readonly seconds: number
  readonly slowest: string
}

export interface Options {
  readonly url: string
  readonly databaseUrl: string
  /** A superuser's, who makes what the run asks for. */
  readonly token: string
  readonly role: Role
  readonly cases: number
  readonly seed: number
  readonly only: ReadonlyArray<string>
  readonly log: string
}

const file = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))

/** The Python that has schemathesis; undefined where it is not installed. */
export const find = (): string | undefined => {
  const script = file("scripts/install-schemathesis.sh")
  try {
    return execFileSync("bash", [script, "--check"], { encoding: "utf8", stdio: "pipe" }).trim()
  } catch {
    return undefined
  }
}

/** What to tell someone whose machine cannot install it. */
export const missing = "schemathesis is not installed; run scripts/install-schemathesis.sh"

/** Runs it as one role, and answers what it found. Its lines go to `log`. */
export const run = async (python: string, options: Options): Promise<Outcome> => {
  const { cases, databaseUrl, log, only, role, seed, token, url } = options
  const args = ["--url", url, "--role", role, "--cases", String(cases), "--seed", String(seed)]
  const child = spawn(
    python,
    [file("packages/proof/fuzz/run.py"), ...args, ...only.flatMap((name) => ["--only", name])],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"] ?? "",
        PYTHONDONTWRITEBYTECODE: "1",
        FUZZ_TOKEN: token,
        FUZZ_DATABASE_URL: databaseUrl,
        FUZZ_TABLE: file("docs/guide/permissions.md")
      }
    }
  )
  const ended = once(child, "exit") as Promise<[number | null]>
  const kept = createWriteStream(log)
  const tail: Array<string> = []
  const keep = (line: string) => {
    kept.write(`${line}\n`)
    tail.push(line)
    if (tail.length > 20) tail.shift()
  }
  createInterface(child.stderr).on("line", keep)
  let last = ""
  for await (const line of createInterface(child.stdout)) {
    keep(line)
    last = line
  }
  const [code] = await ended
  kept.end()
  if (code !== 0) throw new Error(`the fuzzer ended with ${code} (${log}):\n${tail.join("\n")}`)
  return JSON.parse(last) as Outcome
}
