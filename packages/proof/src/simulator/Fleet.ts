/** Many simulated agents in one process, and what may be ordered of them. */
import * as Agent from "./Agent.ts"
import * as Books from "./Books.ts"
import type { Load, Orders } from "./Plan.ts"
import * as Tally from "./Tally.ts"

/** What carries the orders out; some take their time. */
export type Fleet = {
  readonly [Verb in keyof Orders]: (
    given: Parameters<Orders[Verb]>[0]
  ) => ReturnType<Orders[Verb]> | Promise<ReturnType<Orders[Verb]>>
}

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
const randomOf = (seed: number) => {
  let at = seed >>> 0
  return (): number => {
    at = (at + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(at ^ (at >>> 15), at | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A fleet without agents; `open` gives it some, and forgets those it had. */
export const make = (): Fleet => {
  let agents: ReadonlyArray<Agent.Agent> = []
  let urls: ReadonlyArray<ReadonlyArray<string>> = []
  let books = Books.make()
  let tally = Tally.make()
  let load: Load | undefined
  let ramp = 0

  const named = (which: ReadonlyArray<number> | null): ReadonlyArray<Agent.Agent> =>
    which === null
      ? agents
      : which.map((index) => {
          const agent = agents[index]
          if (agent === undefined) throw new Error(`there is no agent ${index}`)
          return agent
        })

  return {
    open: (fleet) => {
      for (const agent of agents) agent.stop()
      books = Books.make()
      tally = Tally.make()
      load = fleet
      ramp = fleet.ramp
      urls = fleet.agents.map((plan) => plan.urls)
      agents = fleet.agents.map(({ key }, index) => {
        let turn = 0
        const next = () => {
          const mine = urls[index]!
          return mine[turn++ % mine.length]!
        }
        const random = randomOf(fleet.seed * 1_000_003 + index)
        return Agent.make({ index, key, next, load: () => load!, wait: fleet.wait, random, books, tally })
      })
      return null
    },
    start: (which) => {
      const starting = named(which)
      starting.forEach((agent, index) => agent.start((index / starting.length) * ramp, index / starting.length))
      return null
    },
    stop: (which) => {
      for (const agent of named(which)) agent.stop()
      return null
    },
    load: (change) => {
      if (load === undefined) throw new Error("the fleet is not open")
      load = { ...load, ...change }
      return null
    },
    aim: (mine) => {
      urls = urls.map(() => mine)
      return null
    },
    jump: ({ agents: which, milliseconds }) => {
      for (const agent of named(which)) agent.jump(milliseconds)
      return null
    },
    drain: async (patience) => {
      const done = await Promise.all(agents.map((agent) => agent.drain(patience)))
      return done.every(Boolean)
    },
    figures: () =>
      tally.take({
        polling: agents.filter((agent) => agent.isPolling()).length,
        informed: agents.filter((agent) => agent.isInformed()).length
      }),
    books: () => books.accounts()
  }
}
