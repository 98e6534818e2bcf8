/**
 * Goal 3: a fetch takes no longer among many subscriptions than among few; and 256 connections at once stall nobody.
 *
 * Times are taken at a pace well below what the server carries, and slow enough for every link to have left the cache
 * before it is asked for again.
 */
import { type Case, largest } from "../Case.ts"
import { median } from "../Figures.ts"
import * as Load from "../Load.ts"
import type { Site } from "../Site.ts"

/** No link comes again within this, seconds: longer than answers are kept. */
const apart = 1.25
const mostPerSecond = 500

const crowd = 256

/** What would be a stall, milliseconds. */
const stall = 2000

export const flat: Case = {
  name: "flat",
  goals: [3],
  run: async (bench) => {
    const { rounds, seconds, sites } = bench
    const [few, many] = [sites[0]!, largest(bench)]
    const rate = Math.min(mostPerSecond, Math.floor(few.subscriptions / apart))
    const paced = (site: Site) => site.fetch({ connections: 16, seconds, rate })
    await paced(few)
    await paced(many)
    const crowded = () => many.fetch({ connections: crowd, seconds })
    const [base, top, crowds] = await Load.interleaved(
      rounds,
      () => paced(few),
      () => paced(many),
      crowded
    )
    const against = (key: "p50" | "p99", atMost: number) => ({
      goal: 3,
      what: `${key} of /s at ${rate}/s`,
      subscriptions: many.subscriptions,
      values: top.map((each, round) => each[key] / base[round]![key]),
      unit: "×" as const,
      bound: { atMost },
      yardstick: `${few.subscriptions} subscriptions ${median(base.map((each) => each[key])).toFixed(2)} ms; ${many.subscriptions}: ${median(top.map((each) => each[key])).toFixed(2)} ms`,
      seen: { base, top }
    })
    const among = (key: "p50" | "p99" | "perSecond") => median(crowds.map((each) => each[key])).toFixed(0)
    return [
      against("p50", 1.15),
      against("p99", 1.5),
      {
        goal: 3,
        what: `longest of /s at ${crowd} connections`,
        subscriptions: many.subscriptions,
        values: crowds.map(({ max }) => max),
        unit: "ms" as const,
        bound: { atMost: stall },
        yardstick: `p50 ${among("p50")} ms, p99 ${among("p99")} ms, ${among("perSecond")}/s`,
        seen: { crowds }
      }
    ]
  }
}
