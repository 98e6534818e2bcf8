/** What each server keeps resident, sampled once a second from `/proc`, life by life. */
import { readFile } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import type { Server } from "../Server.ts"

export interface Sample {
  /** Seconds since the sampling began. */
  readonly at: number
  readonly megabytes: number
}

/** One process from its start to its end. */
export interface Life {
  readonly name: string
  readonly pid: number
  readonly samples: ReadonlyArray<Sample>
  readonly peak: number
}

export interface Memory {
  readonly lives: () => ReadonlyArray<Life>
  readonly stop: () => Promise<void>
}

const every = 1000

const figure = (status: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024

/** MB that a process has resident now. */
export const resident = async (pid: number): Promise<number> =>
  figure(await readFile(`/proc/${pid}/status`, "utf8"), "VmRSS")

/** Follows servers, by name, from now on. */
export const follow = (servers: ReadonlyArray<readonly [name: string, server: Pick<Server, "process">]>): Memory => {
  const lives = new Map<number, { name: string; pid: number; samples: Array<Sample>; peak: number }>()
  const began = performance.now()
  const over = new AbortController()

  const look = async (name: string, { process }: Pick<Server, "process">) => {
    const pid = process()?.pid
    if (pid === undefined) return
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
    const [megabytes, peak] = [figure(status, "VmRSS"), figure(status, "VmHWM")]
    if (!Number.isFinite(megabytes)) return
    const life = lives.get(pid) ?? { name, pid, samples: [], peak }
    lives.set(pid, life)
    life.samples.push({ at: (performance.now() - began) / 1000, megabytes })
    life.peak = peak
  }

  const looking = (async () => {
    while (!over.signal.aborted) {
      for (const [name, server] of servers) await look(name, server)
      await sleep(every, undefined, { signal: over.signal }).catch(() => undefined)
    }
  })()

  return {
    lives: () => [...lives.values()],
    stop: async () => {
      over.abort()
      await looking
    }
  }
}

/** The middle of the figures. */
export const median = (figures: ReadonlyArray<number>): number =>
  [...figures].sort((a, b) => a - b)[figures.length >> 1] ?? Number.NaN

/** How a life grew: the median after its warming up, the median of its end, and the slope between, MB an hour. */
export const growth = ({ samples }: Pick<Life, "samples">, warmUp: number) => {
  const [first, last] = [samples[0]?.at ?? 0, samples.at(-1)?.at ?? 0]
  const settled = samples.filter(({ at }) => at - first >= warmUp)
  const width = Math.max(10, (last - first - warmUp) / 4)
  const early = settled.filter(({ at }) => at < first + warmUp + width)
  const late = settled.filter(({ at }) => at > last - width)
  const middle = (part: ReadonlyArray<Sample>) => median(part.map(({ megabytes }) => megabytes))
  const mean = (numbers: ReadonlyArray<number>) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length
  const [x, y] = [mean(settled.map(({ at }) => at)), mean(settled.map(({ megabytes }) => megabytes))]
  const covariance = settled.reduce((sum, { at, megabytes }) => sum + (at - x) * (megabytes - y), 0)
  const variance = settled.reduce((sum, { at }) => sum + (at - x) ** 2, 0)
  return { before: middle(early), after: middle(late), slope: (covariance / variance) * 3600 }
}
