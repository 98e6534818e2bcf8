/** A server process on the run's database: started, waited for, stopped, killed. Several may share a database. */
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Namespace from "./Namespace.ts"
import * as Process from "./Process.ts"

export interface Options {
  /** The program's main file. */
  readonly main: string
  /** PostgreSQL's; null = the embedded database, in its directory, with a key of its own. */
  readonly databaseUrl: string | null
  /** 32 bytes, base64; the same for every server on a database. */
  readonly encryptionKey?: string
  readonly directory: string
  readonly name?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Server {
  readonly url: string
  readonly log: string
  /** The process; another one after each start. */
  readonly process: () => Process.Process | undefined
  /** Starts it and waits until it is ready; answers the milliseconds that took. */
  readonly start: () => Promise<number>
  /** Ends it in order, by default; answers the milliseconds that took. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number>
  /** Waits for the one-time secret that the first start on a database prints. */
  readonly setupSecret: () => Promise<string>
}

const startTimeout = 120_000

const isReady = (url: string) =>
  fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2000) }).then(
    (response) => response.ok,
    () => false
  )

/** Lays a server out on a port of its own. It is not started yet. */
export const make = async (options: Options): Promise<Server> => {
  const { databaseUrl, directory, encryptionKey, env, main, name = "server" } = options
  const home = join(directory, name)
  await mkdir(home, { recursive: true, mode: 0o700 })
  const address = `127.0.0.1:${Namespace.freePort()}`
  const url = `http://${address}`
  const log = join(home, "server.log")
  let running: Process.Process | undefined

  const start = async () => {
    const began = performance.now()
    running = await Process.start({
      command: process.execPath,
      args: [main, "serve"],
      cwd: home,
      log,
      env: {
        ...(databaseUrl === null ? {} : { VPNMGR_DATABASE_URL: databaseUrl }),
        ...(encryptionKey === undefined ? {} : { VPNMGR_ENCRYPTION_KEY: encryptionKey }),
        VPNMGR_LISTEN: address,
        VPNMGR_DATA_DIRECTORY: join(home, "data"),
        ...env
      }
    })
    for (const until = Date.now() + startTimeout; !(await isReady(url)); await sleep(50)) {
      if (!running.isRunning() || Date.now() > until) {
        throw new Error(`the server was not ready (${log}):\n${running.output().slice(-2000)}`)
      }
    }
    return Math.round(performance.now() - began)
  }

  return {
    url,
    log,
    process: () => running,
    start,
    stop: async (signal = "SIGTERM") => {
      const began = performance.now()
      await running?.end(signal, 30_000)
      running = undefined
      return Math.round(performance.now() - began)
    },
    setupSecret: async () => {
      const match = await running?.line(/set-?up[^\n]*?secret[^\w-]+([\w-]{16,})/i)
      if (match === undefined) throw new Error("the server is not running")
      return match[1]!
    }
  }
}
