/** Goal 2: one link asked for again and again, in full and with the tag of what the app already has. */
import { createHash } from "node:crypto"
import { type Case, connections, largest, rawLoad, words } from "../Case.ts"
import * as Load from "../Load.ts"
import { idOf } from "../Seed.ts"

export const cached: Case = {
  name: "cached",
  goals: [2],
  run: async (bench) => {
    const { rounds, seconds } = bench
    const site = largest(bench)
    const etag = `"${createHash("sha256").update(site.config).digest("base64url")}"`
    const job = { connections, seconds, links: { kind: "one", path: `/s/${idOf(1)}` } } as const
    const full = () => site.fetch(job)
    const unchanged = () =>
      site.fetch({ ...job, headers: { "if-none-match": etag }, expect: { status: 304, length: 0, proxies: null } })
    await full()
    await unchanged()
    const found = await Load.interleaved(rounds, full, () => rawLoad(bench), unchanged)
    const [fulls, raw, unchangeds] = found
    return [
      { what: "cached /s", ours: fulls },
      { what: "304", ours: unchangeds }
    ].map(({ ours, what }) => ({
      goal: 2,
      what,
      subscriptions: site.subscriptions,
      values: ours.map(({ perSecond }, round) => perSecond / raw[round]!.perSecond),
      unit: "×" as const,
      bound: { atLeast: 0.8 },
      yardstick: `raw ${words(raw)}; ours ${words(ours)}`,
      seen: { ours, raw }
    }))
  }
}
