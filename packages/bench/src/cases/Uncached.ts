/** Goal 1: configs that nobody has asked for within the last second, five inbounds, all headers. */
import { type Case, connections, rawLoad, words } from "../Case.ts"
import * as Load from "../Load.ts"

/** Fewer links than this come round again while the server still keeps their answers. */
const fewest = 10_000

export const uncached: Case = {
  name: "uncached",
  goals: [1],
  run: async (bench) => {
    const { rounds, seconds, sites } = bench
    const many = sites.filter(({ subscriptions }) => subscriptions >= fewest)
    const rows = []
    for (const site of many.length > 0 ? many : sites.slice(-1)) {
      const load = async () => {
        const before = await site.cacheHits()
        const measured = await site.fetch({ connections, seconds })
        return { ...measured, cached: ((await site.cacheHits()) - before) / measured.requests }
      }
      await site.fetch({ connections, seconds })
      await rawLoad(bench)
      const [ours, raw] = await Load.interleaved(rounds, load, () => rawLoad(bench))
      const cached = Math.max(...ours.map((each) => each.cached))
      if (cached > 0.01)
        bench.note(`${site.subscriptions} links: ${(cached * 100).toFixed(0)} % of the answers were cached`)
      rows.push({
        goal: 1,
        what: "uncached /s",
        subscriptions: site.subscriptions,
        values: ours.map(({ perSecond }, round) => perSecond / raw[round]!.perSecond),
        unit: "×" as const,
        bound: { atLeast: 0.4 },
        yardstick: `raw ${words(raw)}; ours ${words(ours)}`,
        seen: { ours, raw }
      })
    }
    return rows
  }
}
