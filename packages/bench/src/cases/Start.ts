/** Goal 9: how soon a server is ready, and what it and PostgreSQL cost when nobody asks for anything. */
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
    const seen = sites.map((site) => ({
      site,
      ready: [] as Array<number>,
      idle: [] as Array<number>,
      database: [] as Array<number>
    }))
    for (let round = 0; round < rounds; round++) {
      for (const { database, idle, ready, site } of seen) {
        for (const other of sites) await other.server.stop()
        ready.push(await site.server.start())
        await sleep(settled)
        const { postgres, server } = site.behind()
        const before = { server: Cpu.used(server), postgres: Cpu.used(postgres!) }
        const began = performance.now()
        await sleep(seconds * 1000)
        const share = (used: number) => (100 * used) / (performance.now() - began)
        idle.push(share(Cpu.used(server) - before.server))
        database.push(share(Cpu.used(postgres!) - before.postgres))
      }
    }
    for (const { server } of sites) if (server.process()?.isRunning() !== true) await server.start()
    return seen.flatMap(({ database, idle, ready, site: { subscriptions } }) => [
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
      },
      {
        goal: 9,
        what: "idle CPU of PostgreSQL for it",
        subscriptions,
        values: database,
        unit: "%" as const,
        bound: { atMost: 1 },
        yardstick: `one core, ${seconds} s, all backends; at ${seen[0]!.site.subscriptions}: ${median(seen[0]!.database).toFixed(2)} %`,
        seen: { database }
      }
    ])
  }
}
