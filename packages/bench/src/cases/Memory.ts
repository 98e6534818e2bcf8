/** Goal 8: resident memory of a freshly started server under load, at its highest, among few and among many. */
import { type Case, connections, largest } from "../Case.ts"
import * as Cpu from "../Cpu.ts"
import { median } from "../Figures.ts"
import * as Load from "../Load.ts"
import type { Site } from "../Site.ts"

/** Restarts, fetches, and answers the most that was resident, MB. */
const highest = async ({ fetch, server }: Site, seconds: number): Promise<number> => {
  await server.stop()
  await server.start()
  const { pid } = server.process()!
  let most = 0
  const looking = setInterval(() => (most = Math.max(most, Cpu.resident(pid))), 100)
  await fetch({ connections, seconds }).finally(() => clearInterval(looking))
  return most
}

export const memory: Case = {
  name: "memory",
  goals: [8],
  run: async (bench) => {
    const { rounds, seconds, sites } = bench
    const [few, many] = [sites[0]!, largest(bench)]
    const [base, top] = await Load.interleaved(
      rounds,
      () => highest(few, seconds),
      () => highest(many, seconds)
    )
    const seen = { base, top }
    return [
      {
        goal: 8,
        what: "resident under load",
        subscriptions: few.subscriptions,
        values: base,
        unit: "MB" as const,
        bound: { atMost: 150 },
        yardstick: `the most within ${seconds} s after a start`,
        seen
      },
      {
        goal: 8,
        what: "resident against few",
        subscriptions: many.subscriptions,
        values: top.map((each, round) => each / base[round]!),
        unit: "×" as const,
        bound: { atMost: 1.2 },
        yardstick: `${few.subscriptions} subscriptions ${median(base).toFixed(0)} MB; ${many.subscriptions}: ${median(top).toFixed(0)} MB`,
        seen
      }
    ]
  }
}
