/**
 * The sing-box process as Linux shows it: found by what it was started with, told from a stranger with the same number
 * by its start time. It is started in a session of its own and outlives who started it.
 */
import { Effect } from "effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync, readFileSync, readdirSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, type Failure, rejected, unreachable } from "./Failure.ts"

export interface Identity {
  readonly pid: number
  /** Field 22 of `/proc/<pid>/stat`, clock ticks since boot. */
  readonly startTime: string
}

/** How long a process may take to end by itself before it is killed, ms. */
const patience = 10_000

/** The process with this number; `undefined` when there is none or only its remains. */
const identify = (pid: number): Identity | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const startTime = fields[18]
    return state === "Z" || state === "X" || startTime === undefined ? undefined : { pid, startTime }
  } catch {
    return undefined
  }
}

export const isAlive = ({ pid, startTime }: Identity): boolean => identify(pid)?.startTime === startTime

const argumentsOf = (directory: string, config: string): ReadonlyArray<string> => [
  "--disable-color",
  "run",
  "-D",
  directory,
  "-c",
  config
]

const commandOf = (pid: string): ReadonlyArray<string> => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1, -1)
  } catch {
    return []
  }
}

/** Every living process that was started on this config, by whichever agent. */
export const findAll = (directory: string, config: string): ReadonlyArray<Identity> => {
  const wanted = argumentsOf(directory, config).join("\0")
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && commandOf(name).join("\0") === wanted)
    .flatMap((name) => identify(Number(name)) ?? [])
}

/** Starts sing-box; it gets none of the agent's environment but the search path. What it prints goes to `log`. One
 * that ended at once is answered too, with a start time that no process has. */
export const start = (
  binary: string,
  directory: string,
  config: string,
  log: string
): Effect.Effect<Identity, Failure> =>
  Effect.tryPromise({
    try: async (): Promise<Identity> => {
      const output = openSync(log, "w", 0o600)
      try {
        const child = spawn(binary, argumentsOf(directory, config), {
          cwd: directory,
          detached: true,
          env: { PATH: process.env.PATH },
          stdio: ["ignore", output, output]
        })
        await once(child, "spawn")
        child.on("error", () => {})
        child.unref()
        return identify(child.pid!) ?? { pid: child.pid!, startTime: "" }
      } finally {
        closeSync(output)
      }
    },
    catch: (cause) => unreachable(`cannot start ${binary}: ${describe(cause)}`)
  })

/** Ends the process: asks it, waits, then kills it. Succeeds once it is gone. */
export const end = (identity: Identity): Effect.Effect<void> =>
  Effect.promise(async () => {
    const signal = (name: NodeJS.Signals) => {
      try {
        return isAlive(identity) && process.kill(identity.pid, name)
      } catch {
        return false
      }
    }
    signal("SIGTERM")
    for (let waited = 0; isAlive(identity); waited += 10) {
      if (waited >= patience && waited % 1000 === 0) signal("SIGKILL")
      await sleep(10)
    }
  })

const run = (binary: string, args: ReadonlyArray<string>) =>
  new Promise<string>((resolve, reject) => {
    execFile(binary, [...args], { env: { PATH: process.env.PATH }, timeout: 60_000 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(stderr.trim() || error.message))
    )
  })

/** The program and its version, such as `sing-box 1.12.12`. */
export const version = (binary: string): Effect.Effect<string, Failure> =>
  Effect.tryPromise({
    try: async () => `sing-box ${/version (\S+)/.exec(await run(binary, ["version"]))?.[1] ?? "unknown"}`,
    catch: (cause) => unreachable(`cannot run ${binary}: ${describe(cause)}`)
  })

/** Asks sing-box whether it would run a config. It misses some of what fails at a start, such as a port in use. */
export const check = (binary: string, config: string): Effect.Effect<void, Failure> =>
  Effect.tryPromise({
    try: async () => void (await run(binary, ["--disable-color", "check", "-c", config])),
    catch: (cause) => rejected(describe(cause))
  })
