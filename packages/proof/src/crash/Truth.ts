/**
 * What the planes really counted, by a reader of its own: the last counters of every run of every sing-box, and, for a
 * run that was killed, what it had counted at some moment before.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Counter, Counters } from "../Counters.ts"
import * as Reader from "../Counters.ts"
import type { Node } from "../Node.ts"

/** What may be missing of a run that was killed: the difference of two readings. */
export interface Killed {
  readonly last: Counters
  readonly before: Counters
}

export interface Truth {
  /** What is known of every run, added up, by pair name. */
  readonly total: () => Counters
  /** The most that may be missing of the runs that were killed: what passed since the agent's last reading. */
  readonly excusable: () => Counters
  /**
   * Kills sing-box while the agent is stopped, so that nobody reads after our last reading. `since` is how long ago the
   * agent read for the last time at the latest, milliseconds.
   */
  readonly kill: (since: number) => Promise<void>
  /** Reads the living run for the last time. */
  readonly stop: () => Promise<void>
}

const every = 40
const settle = 60

const add = (all: Iterable<Counters>, sign: 1n | -1n = 1n, into = new Map<string, Counter>()) => {
  for (const counters of all) {
    for (const [name, { up, down }] of counters) {
      const before = into.get(name) ?? { up: 0n, down: 0n }
      into.set(name, { up: before.up + sign * up, down: before.down + sign * down })
    }
  }
  return into
}

/** Follows a node from now on. */
export const follow = (node: Node): Truth => {
  const runs = new Map<string, Counters>()
  const killed: Array<Killed> = []
  const over = new AbortController()
  let recent: Array<{ readonly at: number; readonly epoch: string; readonly counters: Counters }> = []

  const look = async (): Promise<string> => {
    const { epoch, stats } = await node.run()
    const counters = await Reader.read(stats, 10_000)
    if ((await node.run()).epoch !== epoch) throw new Error("another run began meanwhile")
    runs.set(epoch, counters)
    const at = Date.now()
    recent = [...recent.filter((one) => one.at > at - 5000), { at, epoch, counters }]
    return epoch
  }

  const looking = (async () => {
    for (; !over.signal.aborted; await sleep(every)) await look().catch(() => undefined)
  })()

  const kill = async (since: number) => {
    const agent = node.agent()
    if (agent === undefined) throw new Error("there is no agent to stop")
    process.kill(agent.pid, "SIGSTOP")
    try {
      const stoppedAt = Date.now()
      await sleep(settle)
      const epoch = await look()
      const last = runs.get(epoch)!
      const known = recent.filter((one) => one.epoch === epoch && one.at <= stoppedAt - since)
      killed.push({ last, before: known.at(-1)?.counters ?? new Map() })
      await node.killSingBox()
    } finally {
      process.kill(agent.pid, "SIGCONT")
    }
  }

  return {
    total: () => add(runs.values()),
    excusable: () =>
      add(
        killed.map(({ before }) => before),
        -1n,
        add(killed.map(({ last }) => last))
      ),
    kill,
    stop: async () => {
      over.abort()
      await looking
      await look().catch(() => undefined)
    }
  }
}
