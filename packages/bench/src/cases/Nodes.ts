/**
 * Goal 12: a thousand nodes cost no more per entry than one. The same entries a second come from one agent that reports
 * a thousand times as often, from a hundred, and from a thousand at their usual pace of 10 s, each with its poll open:
 * what differs is what nodes cost, not what a busy server saves.
 *
 * Beside it, not judged: what an open poll costs, how soon a change reaches those it concerns, and what one machine
 * carries.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Bench, Case } from "../Case.ts"
import { median, quantile, short } from "../Figures.ts"
import * as Carried from "../Carried.ts"
import * as Fleet from "../Fleet.ts"
import * as Load from "../Load.ts"
import { idOf } from "../Seed.ts"

interface Scale {
  readonly sizes: ReadonlyArray<number>
  /** Milliseconds between an agent's reports when all report. */
  readonly every: number
  readonly entries: number
  readonly seconds: number
}

/** A smoke run asks only that all of it works. */
const scaleOf = ({ seconds }: Bench): Scale =>
  seconds < 5
    ? { sizes: [1, 10, 20], every: 1000, entries: 20, seconds }
    : { sizes: [1, 100, 1000], every: 10_000, entries: 100, seconds: Math.max(10, seconds) }

/** As long as reports wait at 10,000 entries a second: until `Fold.mostWaiting` of them do, nearly. */
const waiting = 45

const perEntry = ({ acknowledged, postgres, server }: Fleet.Measured) => ((server + postgres) * 1000) / acknowledged

/** What a poll that waits costs: of all agents, less of one, for a whole wait. */
const idle = async ({ measure }: Fleet.Fleet, { seconds, sizes }: Scale) => {
  const agents = sizes.at(-1)!
  const how = { every: 86_400_000, entries: 1, seconds: seconds < 5 ? seconds : 30 }
  const one = await measure({ ...how, agents: 1 })
  const all = await measure({ ...how, agents })
  const each = (of: "server" | "postgres") => ((all[of] - one[of]) * 1000) / (agents - 1) / how.seconds
  return {
    agents,
    server: each("server"),
    postgres: each("postgres"),
    baseline: (one.server + one.postgres) / how.seconds
  }
}

/** Milliseconds from asking for a change until the polls of `expected` nodes were answered with it. */
const reach = async ({ simulator, site }: Fleet.Fleet, id: string, action: "suspend" | "resume", expected: number) => {
  await simulator.figures()
  const began = performance.timeOrigin + performance.now()
  await site.api.act(id, action)
  const told: Array<number> = []
  for (const until = Date.now() + 60_000; told.length < expected; await sleep(20)) {
    if (Date.now() > until) throw new Error(`${told.length} of ${expected} polls were answered within a minute`)
    told.push(...(await simulator.figures()).told.map(({ at }) => at - began))
  }
  return told
}

/** Waits until nobody is told anything any more, so that no change is taken for the next one. */
const calm = async ({ simulator }: Fleet.Fleet) => {
  do {
    await simulator.figures()
    await sleep(1000)
  } while ((await simulator.figures()).told.length > 0)
}

const reaches = async (fleet: Fleet.Fleet, nodes: number, rounds: number) => {
  const { site } = fleet
  const inbounds = fleet.inbounds.slice(0, nodes)
  const everywhere = await site.api.create({ title: "everywhere", inbound_ids: inbounds })
  await calm(fleet)
  const [one, all]: [Array<number>, Array<number>] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const action of ["suspend", "resume"] as const) {
      one.push(Math.min(...(await reach(fleet, idOf(1 + round), action, 1))))
      await calm(fleet)
      all.push(...(await reach(fleet, everywhere.id, action, inbounds.length)))
      await calm(fleet)
    }
  }
  return { one, all }
}

export const nodes: Case = {
  name: "nodes",
  goals: [12],
  run: async (bench) => {
    const { note, rounds } = bench
    const scale = scaleOf(bench)
    const { entries, every, seconds, sizes } = scale
    const most = sizes.at(-1)!
    const wide = entries * Carried.wider
    const site = await bench.open(Math.max(most * entries, wide), "server-nodes")
    const fleet = await Fleet.open(site, { nodes: most, each: entries, wide, wideNodes: sizes.at(-2)! })
    note(`${most} agents poll`)
    try {
      const pace = (agents: number) => () => fleet.measure({ agents, every: (every * agents) / most, entries, seconds })
      const measured = await Load.interleaved(rounds, ...sizes.map(pace))
      const complaint = measured.flat().find((each) => each.wrong !== null)?.wrong
      if (complaint !== undefined) throw new Error(`agents were answered otherwise: ${complaint}`)
      const folding: Array<number> = []
      for (const agents of sizes)
        folding.push(
          await fleet.folding({
            agents,
            every: (every * agents) / most,
            entries,
            seconds: Math.min(waiting, seconds * 5)
          })
        )
      const poll = await idle(fleet, scale)
      const told = await reaches(fleet, most, rounds)
      const carried = await Carried.find(fleet, scale)
      await fleet.audit()
      /** What an entry costs with folding, by the index of the size. */
      const costs = measured.map((rounds, index) => rounds.map((each) => perEntry(each) + folding[index]!))
      const words = sizes.map((agents, index) => {
        const of = (figure: (each: Fleet.Measured) => number) => short(median(measured[index]!.map(figure)))
        const cost = `CPU µs ${of((m) => (m.server * 1000) / m.acknowledged)} + ${of((m) => (m.postgres * 1000) / m.acknowledged)} PostgreSQL + ${short(folding[index]!)} folding an entry`
        return `${agents}: ${of((m) => m.perSecond)} entries/s, ${cost}, answered p50 ${of((m) => m.p50)} p99 ${of((m) => m.p99)} ms, load ${of((m) => m.loadShare * 100)} %`
      })
      for (const line of words) note(`nodes ${line}`)
      note(
        `an open poll costs ${short(poll.server)} + ${short(poll.postgres)} PostgreSQL µs of CPU a second (${poll.agents} polls); a server with one: ${short(poll.baseline)} ms a second`
      )
      const latency = (of: ReadonlyArray<number>) =>
        `p50 ${short(median(of))} ms, the last ${short(quantile(of, 1))} ms`
      note(`a change of one node reaches it: ${latency(told.one)}; of ${most} nodes: ${latency(told.all)}`)
      for (const each of carried) note(Carried.words(each))
      return sizes.slice(1).map((agents, index) => ({
        goal: 12,
        what: `CPU per entry at ${agents} nodes`,
        subscriptions: site.subscriptions,
        values: costs[index + 1]!.map((cost, round) => cost / costs[0]![round]!),
        unit: "×" as const,
        bound: { atMost: 1.2 },
        yardstick: `1 node: ${short(median(costs[0]!))} µs; ${agents}: ${short(median(costs[index + 1]!))} µs`,
        seen: { measured, folding, poll, told, carried }
      }))
    } finally {
      await fleet.close()
      await site.server.stop()
    }
  }
}
