/**
 * A node: the agent's process and the sing-box it started. What sing-box serves and counts is read from its own files
 * and its own API, never by way of the agent.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Protocol } from "./Client.ts"
import * as Counters from "./Counters.ts"
import * as Process from "./Process.ts"

export interface Options {
  readonly name: string
  /** The node's id, and the address its inbounds listen on. */
  readonly id: string
  readonly address: string
  readonly key: string
  readonly url: string
  readonly binary: string
  /** The program's main file. */
  readonly main: string
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
}

/** One run of sing-box: from a start of its counters to the next. */
export interface Run {
  readonly pid: number
  readonly epoch: string
  /** Where it answers statistics, and control with its secret. */
  readonly stats: string
  readonly control: string
  readonly secret: string
}

/** Somebody a config lists: who signs in at an inbound with what. */
export interface Listed {
  /** The pair's name, such as `c17.2`. */
  readonly name: string
  readonly protocol: Protocol
  readonly secret: string
  /** True when the config would let them pass at a start. */
  readonly isOpen: boolean
}

interface ServerConfig {
  readonly inbounds: ReadonlyArray<{
    readonly type: Protocol
    readonly users: ReadonlyArray<{ readonly name: string; readonly uuid?: string; readonly password?: string }>
  }>
  readonly outbounds: ReadonlyArray<{ readonly tag: string; readonly default?: string }>
}

/** Follows the counters of a node's plane from run to run. */
export interface Observer {
  /** What was last read of each run, added up. */
  readonly total: () => Counters.Counters
  /** Reads once more, if the plane answers. */
  readonly look: () => Promise<void>
  readonly stop: () => Promise<void>
}

export interface Node {
  readonly name: string
  readonly id: string
  readonly address: string
  readonly key: string
  readonly directory: string
  /** The agent; another process after each start. */
  readonly agent: () => Process.Process | undefined
  readonly startAgent: () => Promise<void>
  /** Ends the agent; sing-box stays. */
  readonly stopAgent: (signal?: NodeJS.Signals) => Promise<void>
  /** The sing-box that runs, or ran last; fails when none was ever started. */
  readonly run: () => Promise<Run>
  /** Everybody its config lists. */
  readonly listed: () => Promise<ReadonlyArray<Listed>>
  /** The name by which the config lists whoever signs in with this secret. */
  readonly pairOf: (secret: string) => Promise<string | undefined>
  /** The plane's own counters of the run that lives. */
  readonly counters: () => Promise<Counters.Counters>
  /** Notes the counters of each run again and again, until stopped; runs that end are kept with what was last read. */
  readonly observe: (every?: number) => Observer
  readonly killSingBox: () => Promise<number>
  /** Ends the agent and sing-box. */
  readonly close: () => Promise<void>
}

const add = (runs: Iterable<Counters.Counters>): Counters.Counters => {
  const total = new Map<string, Counters.Counter>()
  for (const run of runs) {
    for (const [name, { down, up }] of run) {
      const before = total.get(name) ?? { up: 0n, down: 0n }
      total.set(name, { up: before.up + up, down: before.down + down })
    }
  }
  return total
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Lays a node out and starts its agent. */
export const start = async (options: Options): Promise<Node> => {
  const { address, binary, directory, id, key, main, name, url } = options
  const own = join(directory, "agent")
  const keyFile = join(directory, "node.key")
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(keyFile, key, { mode: 0o600 })
  let agent: Process.Process | undefined

  const startAgent = async () => {
    agent = await Process.start({
      command: process.execPath,
      args: [main, "agent"],
      log: join(directory, "agent.log"),
      env: {
        VPNMGR_URL: url,
        VPNMGR_NODE_KEY_FILE: keyFile,
        VPNMGR_AGENT_DIRECTORY: own,
        VPNMGR_SING_BOX: binary,
        ...options.env
      }
    })
  }

  const read = async <A>(file: string): Promise<A> => {
    for (const at of [own, join(own, "plane"), join(own, "sing-box")]) {
      const text = await readFile(join(at, file), "utf8").catch(() => undefined)
      if (text !== undefined) return JSON.parse(text) as A
    }
    throw new Error(`${name} has no ${file} in ${own}`)
  }

  const run = async (): Promise<Run> => {
    const { process, ...rest } = await read<Omit<Run, "pid"> & { readonly process: { readonly pid: number } | null }>(
      "plane.json"
    )
    return { ...rest, pid: process?.pid ?? 0 }
  }

  const listed = async (): Promise<ReadonlyArray<Listed>> => {
    const { inbounds, outbounds } = await read<ServerConfig>("config.json")
    const defaults = new Map(outbounds.map((outbound) => [outbound.tag, outbound.default]))
    return inbounds.flatMap(({ type, users }) =>
      users.map((user) => ({
        name: user.name,
        protocol: type,
        secret: user.uuid ?? user.password ?? "",
        isOpen: defaults.get(user.name) !== "block"
      }))
    )
  }

  const killSingBox = async () => {
    const { pid } = await run()
    if (pid > 1) process.kill(pid, "SIGKILL")
    return pid
  }

  const observe = (every = 50): Observer => {
    const runs = new Map<string, Counters.Counters>()
    const over = new AbortController()
    const look = async () => {
      const { epoch, stats } = await run()
      const counters = await Counters.read(stats, 2000)
      if ((await run()).epoch === epoch) runs.set(epoch, counters)
    }
    const looking = (async () => {
      for (; !over.signal.aborted; await pause(every)) await look().catch(() => undefined)
    })()
    return {
      total: () => add(runs.values()),
      look: () => look().catch(() => undefined),
      stop: async () => {
        over.abort()
        await looking
        await look().catch(() => undefined)
      }
    }
  }

  const stopAgent = async (signal: NodeJS.Signals = "SIGTERM") => {
    await agent?.end(signal)
    agent = undefined
  }

  await startAgent()
  return {
    name,
    id,
    address,
    key,
    directory,
    agent: () => agent,
    startAgent,
    stopAgent,
    run,
    listed,
    pairOf: async (secret) => (await listed()).find((one) => one.secret === secret)?.name,
    counters: async () => Counters.read((await run()).stats),
    observe,
    killSingBox,
    close: async () => {
      await stopAgent()
      await killSingBox().catch(() => undefined)
    }
  }
}
