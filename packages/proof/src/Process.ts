/** A program that a run started: its output goes to a file, it is waited for by what it prints, and ended by its number. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

export interface Options {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The file its output is appended to. */
  readonly log: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface Process {
  readonly pid: number
  readonly log: string
  readonly isRunning: () => boolean
  /** Waits until its output, from its own start on, matches; fails when it ends first or takes too long. */
  readonly line: (pattern: RegExp, timeout?: number) => Promise<RegExpExecArray>
  /** What it has printed since its start. */
  readonly output: () => string
  /** Sends a signal and waits for the end; after `patience` milliseconds it is killed. Answers how it ended. */
  readonly end: (signal?: NodeJS.Signals, patience?: number) => Promise<number | NodeJS.Signals | null>
}

const tail = (text: string) => text.trimEnd().split("\n").slice(-15).join("\n")

/** Starts a program. Only what is given reaches its environment, beside PATH, HOME and TMPDIR. */
export const start = async ({ args, command, cwd, env, log }: Options): Promise<Process> => {
  const file = openSync(log, "a", 0o600)
  const from = readFileSync(log).length
  const inherited = Object.fromEntries(
    ["PATH", "HOME", "TMPDIR", "VPNMGR_CACHE", "XDG_CACHE_HOME"].flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    })
  )
  const child: ChildProcess = spawn(command, args, {
    stdio: ["ignore", file, file],
    env: { ...inherited, ...env },
    ...(cwd === undefined ? {} : { cwd })
  })
  const exited = once(child, "exit").catch(() => [])
  closeSync(file)
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} could not be started`)

  const isRunning = () => child.exitCode === null && child.signalCode === null
  const output = () => readFileSync(log).subarray(from).toString("utf8")

  const line = async (pattern: RegExp, timeout = 30_000): Promise<RegExpExecArray> => {
    for (const until = Date.now() + timeout; ; await sleep(20)) {
      const ended = !isRunning()
      const match = pattern.exec(output())
      if (match !== null) return match
      if (ended || Date.now() > until) {
        throw new Error(
          `${command} ${ended ? "ended" : "took too long"} before it printed ${pattern} (${log}):\n${tail(output())}`
        )
      }
    }
  }

  const end = async (signal: NodeJS.Signals = "SIGTERM", patience = 15_000) => {
    if (isRunning()) child.kill(signal)
    const timer = setTimeout(() => child.kill("SIGKILL"), patience)
    await exited
    clearTimeout(timer)
    return child.exitCode ?? child.signalCode
  }
  return { pid, log, isRunning, line, output, end }
}
