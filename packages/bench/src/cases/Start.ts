/** Goal 9: how soon a server is ready, and what it costs when nobody asks for anything. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Case } from "../Case.ts"
import * as Cpu from "../Cpu.ts"
import { median } from "../Figures.ts"

/** What jobs do once at the start is over by then, milliseconds. */
const settled = 5000

export const start: Case = {
  name: "start",
  goals: [9],
  run: async ({ rounds, seconds, sites }) => {
    const seen = sites.map((site) => ({ site, ready: [] as Array<number>, idle: [] as Array<number> }))
    for (let round = 0; round < rounds; round++) {
      for (const { idle, ready, site } of seen) {
        await site.server.stop()
        ready.push(await site.server.start())
        await sleep(settled)
        const { pid } = site.server.process()!
        const before = Cpu.used(pid)
        const began = performance.now()
        await sleep(seconds * 1000)
        idle.push((100 * (Cpu.used(pid) - before)) / (performance.now() - began))
      }
    }
    return seen.flatMap(({ idle, ready, site: { subscriptions } }) => [
      {
        goal: 9,
        what: "ready after a start",
        subscriptions,
        values: ready,
        unit: "ms" as const,
        bound: { atMost: 1500 },
        yardstick: "the clock",
        seen: { ready }
      },
      {
        goal: 9,
        what: "idle CPU of the server",
        subscriptions,
        values: idle,
        unit: "%" as const,
        bound: { atMost: 1 },
        yardstick: `one core, ${seconds} s; at ${seen[0]!.site.subscriptions}: ${median(seen[0]!.idle).toFixed(2)} %`,
        seen: { idle }
      }
    ])
  }
}
