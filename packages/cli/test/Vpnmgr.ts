/** The built command as a child process, in a directory of its own. */
import { execFile, spawn, type ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The executable, as the package has it. */
export const main = fileURLToPath(new URL("../dist/main.js", import.meta.url))

/** What a finished command left. */
export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const { PATH, HOME } = process.env

/** An environment without settings of whoever runs the tests. */
export const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  PATH: PATH ?? "",
  HOME: HOME ?? "",
  ...more
})

/** Makes a directory, and answers how to remove it. */
export const workplace = () => {
  const directory = mkdtempSync(join(tmpdir(), "vpnmgr-cli-"))
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** Runs a command to its end. */
export const vpnmgr = (
  directory: string,
  args: ReadonlyArray<string>,
  options: { readonly env?: Record<string, string>; readonly input?: string } = {}
): Promise<Finished> =>
  new Promise((resolve) => {
    const env = environment({ XDG_CONFIG_HOME: join(directory, "config"), ...options.env })
    const child = execFile(process.execPath, [main, ...args], { cwd: directory, env }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    )
    child.stdin?.end(options.input ?? "")
  })

/** A process that goes on, with what it printed so far. */
export interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  /** Sends a signal and answers the exit code, null when the signal itself ended it. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>
}

/** Starts a command and waits for what it prints when it is ready. */
export const start = (
  directory: string,
  args: ReadonlyArray<string>,
  ready: RegExp,
  env: Record<string, string> = {}
): Promise<Running> =>
  new Promise((resolve, reject) => {
    let output = ""
    const child = spawn(process.execPath, [main, ...args], { cwd: directory, env: environment(env) })
    const ended = new Promise<number | null>((done) => child.once("exit", done))
    const hear = (part: Buffer) => {
      output += part.toString()
      if (ready.test(output)) resolve({ child, output: () => output, end })
    }
    const end = (signal: NodeJS.Signals) => {
      child.kill(signal)
      return ended
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    void ended.then((code) => reject(new Error(`vpnmgr ${args.join(" ")} ended with ${code}:\n${output}`)))
  })

/** The line by which a server is known to serve. */
export const ready = /vpnmgr is ready: (\S+)/
