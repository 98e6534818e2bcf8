/**
 * Goal 8: resident memory of a freshly started server under load, at its highest, among few and among many.
 *
 * The load is all there is: configs as fast as they come, reports, pages of lists, sign-ins. What is judged is the
 * kernel's own high-water mark, which no sampling misses.
 */
import { type Case, connections, largest } from "../Case.ts"
import * as Cpu from "../Cpu.ts"
import { median, short } from "../Figures.ts"
import * as Load from "../Load.ts"
import * as Mixture from "../Mixture.ts"
import type { Site } from "../Site.ts"

interface Seen {
  /** MB: when it was ready, after the load, and the most since it started. */
  readonly ready: number
  readonly after: number
  readonly peak: number
  readonly fetches: number
  readonly mixed: Mixture.Done
}

/** Restarts a server, loads it, and looks. */
const look = async (site: Site, seconds: number): Promise<Seen> => {
  const { fetch, server } = site
  await server.stop()
  await server.start()
  const { pid } = server.process()!
  const ready = Cpu.resident(pid)
  const mixture = await Mixture.make(site)
  const [{ requests }, mixed] = await mixture.during(fetch({ connections, seconds }))
  return { ready, after: Cpu.resident(pid), peak: Cpu.mostResident(pid), fetches: requests, mixed }
}

/** The medians in a few words. */
const words = (seen: ReadonlyArray<Seen>, seconds: number): string => {
  const middle = (of: (each: Seen) => number) => short(median(seen.map(of)))
  return `ready ${middle(({ ready }) => ready)}, after ${seconds} s ${middle(({ after }) => after)} MB; ${median(seen.map(({ fetches }) => fetches))} configs, ${median(seen.map(({ mixed }) => mixed.reports))} batches, ${median(seen.map(({ mixed }) => mixed.pages))} pages, ${median(seen.map(({ mixed }) => mixed.signIns))} sign-ins`
}

const mostOf = (seen: ReadonlyArray<Seen>) => seen.map(({ peak }) => peak)

export const memory: Case = {
  name: "memory",
  goals: [8],
  run: async (bench) => {
    const { rounds, seconds, sites } = bench
    const [few, many] = [sites[0]!, largest(bench)]
    const [base, top] = await Load.interleaved(
      rounds,
      () => look(few, seconds),
      () => look(many, seconds)
    )
    const seen = { base, top }
    return [
      {
        goal: 8,
        what: "most resident under load",
        subscriptions: few.subscriptions,
        values: mostOf(base),
        unit: "MB" as const,
        bound: { atMost: 150 },
        yardstick: words(base, seconds),
        seen
      },
      {
        goal: 8,
        what: "the same against few",
        subscriptions: many.subscriptions,
        values: mostOf(top).map((each, round) => each / base[round]!.peak),
        unit: "×" as const,
        bound: { atMost: 1.2 },
        yardstick: `most ${short(median(mostOf(top)))} MB; ${words(top, seconds)}`,
        seen
      }
    ]
  }
}
