/**
 * How long a replica answers a config that another one has just forbidden: suspended on one, fetched on the other until
 * it says 403, over and over, with the change listener at work, cut, and deaf.
 */
import { Agent, request } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import type * as Api from "../Api.ts"
import * as Expect from "../Expect.ts"
import { together } from "../Together.ts"

/** DESIGN: an answer lives a second at most. */
const longest = 1000

/** Subscriptions that are suspended and fetched side by side. */
const width = 20

const connections = new Agent({ keepAlive: true, maxSockets: 2 * width })

/** Fetches over a connection that is kept, again over another when the server had just closed it; answers the status. */
export const fetchStatus = (url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const asked = request(url, { agent: connections, timeout: 10_000 }, (response) => {
      response.resume()
      response.on("end", () => resolve(response.statusCode ?? 0))
      response.on("error", reject)
    })
    asked.on("timeout", () => asked.destroy(new Error("the config is not answered")))
    asked.on("error", (error) => (asked.reusedSocket ? resolve(fetchStatus(url)) : reject(error)))
    asked.end()
  })

/** Fetches until the answer is this one; answers the milliseconds. What is far too stale ends the run at once. */
const until = async (url: string, status: number): Promise<number> => {
  const began = performance.now()
  for (; (await fetchStatus(url)) !== status; await sleep(2))
    Expect.atMost("the longest staleness, ms", Math.round(performance.now() - began), 2 * longest)
  return performance.now() - began
}

export interface Figures {
  readonly median: number
  readonly p99: number
  readonly longest: number
}

/**
 * Suspends through `api`, `times` times in all, and fetches from `replica` until it refuses; the milliseconds are from the
 * answer to the change to the answer that refuses.
 */
export const measure = async (
  api: Api.Api,
  replica: string,
  subscriptions: ReadonlyArray<Pick<Api.Subscription, "id" | "config_path">>,
  times: number
): Promise<Figures> => {
  const rounds = Math.ceil(times / subscriptions.length)
  const taken = await together(subscriptions, width, async ({ config_path, id }) => {
    const url = `${replica}${config_path}`
    const waits: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      await until(url, 200)
      await api.act(id, "suspend")
      waits.push(await until(url, 403))
      await api.act(id, "resume")
    }
    return waits
  })
  const sorted = taken.flat().sort((a, b) => a - b)
  return {
    median: sorted[sorted.length >> 1]!,
    p99: sorted[Math.floor(sorted.length * 0.99)]!,
    longest: sorted.at(-1)!
  }
}

/** The figures in words; fails when the longest is longer than a second. */
export const judged = ({ longest: found, median, p99 }: Figures, times: number): string => {
  Expect.atMost("the longest staleness, ms", Math.round(found), longest)
  return `${times} times: median ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${found.toFixed(1)} ms`
}

/** Asks for links again and again, `width` at once; answers fetches per second. */
export const rate = async (urls: ReadonlyArray<string>): Promise<number> => {
  const [, took] = await Expect.timed(() => together(urls, width, fetchStatus))
  return (urls.length / took) * 1000
}
