/**
 * Goal 11: from the answer to a report that exhausts a subscription to the moment at which the user is cut, on a real node
 * with real traffic. The report comes from another node, so that the news has the whole way to go: the report's
 * transaction, the node's new state, the agent, sing-box. The user is cut when the open connection is, and a new one is
 * refused. A neighbour on the same inbound must not lose its own.
 *
 * It is measured on a server that does nothing else, and on one with fetches and reports of other nodes.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Expect, Flow } from "@vpnmgr/proof"
import { type Bench, type Case, largest } from "../Case.ts"
import { quantile, type Row } from "../Figures.ts"
import * as Posted from "../Posted.ts"
import * as RealNode from "../RealNode.ts"
import { idOf } from "../Seed.ts"
import type { Site } from "../Site.ts"

/** Cuts in each round; three rounds make a hundred. */
const cutsEach = 34

/** People who are cut in turn, each again and again. */
const lanes = 4

const maxTraffic = 50_000_000
const rate = 100_000

/** Milliseconds: what the goal allows, what nobody waits for, and when a neighbour has lost its connection. */
const goal = 2000
const longest = 15_000
const stuck = 10_000

/** Beside the cuts, when the server is busy: fetches a second, and reports of so many entries every so often. */
const busy = { fetches: 50, entries: 500, bytes: 1000, every: 250 }

interface Cut {
  /** Milliseconds from the report's answer until the open connection ended, and until a new one was refused. */
  readonly open: number
  readonly fresh: number
}

/** When the first new connection is refused that nothing of reached the origin: when it was begun. */
const refusedAt = async (
  { origin }: RealNode.RealNode,
  { client }: RealNode.Person,
  since: number
): Promise<number> => {
  for (;;) {
    const flow = client.open({ direction: "down", bytes: 1, timeout: 5000 })
    const ending = await flow.end
    if (ending === "refused" && origin.count(flow.token).connections === 0) return flow.startedAt
    if (Date.now() - since > longest) throw new Error("a new connection was still let in")
    await sleep(10)
  }
}

const cut = async (site: Site, real: RealNode.RealNode, person: RealNode.Person): Promise<Cut> => {
  await site.api.act(person.id, "reset")
  await real.serves(person.id)
  await Expect.soon("is let in again", longest, async () => ((await person.client.passes()) ? true : undefined))
  const flow = await person.client.begin({ direction: "down", bytes: 1e9, rate, timeout: 4 * longest })
  await sleep(Math.random() * 1000)
  Expect.holds("the connection is open until then", flow.isOpen)
  const at = await real.report([person.credential], maxTraffic)
  const fresh = await refusedAt(real, person, at)
  const ending = await Promise.race([flow.end, sleep(longest, "open" as const)])
  Expect.same("the open connection", ending, "cut")
  const again = await refusedAt(real, person, Date.now())
  Expect.atLeast("refused again", again, fresh)
  return { open: Math.max(0, flow.endedAt! - at), fresh: Math.max(0, fresh - at) }
}

/** Fetches of this, and reports of the site's own node, until it is told to end; answers how many reports there were. */
const disturb = (site: Site, credential: number) => {
  const over = new AbortController()
  const reporting = (async () => {
    const report = Posted.make(site.server.url, site.node.key, site.node.inbounds[0]!)
    let [at, count] = [0, 0]
    for (; !over.signal.aborted; count++) {
      const refs = Array.from({ length: busy.entries }, () => credential + (at++ % site.subscriptions))
      await Promise.all([report(refs, busy.bytes), sleep(busy.every)])
    }
    return count
  })()
  const fetching = (async () => {
    for (; !over.signal.aborted;) await site.fetch({ connections: 8, seconds: 5, rate: busy.fetches })
  })()
  return async () => {
    over.abort()
    const [count] = await Promise.all([reporting, fetching])
    return count
  }
}

const measure = async (bench: Bench, site: Site, real: RealNode.RealNode): Promise<ReadonlyArray<Cut>> => {
  const cuts: Array<Cut> = []
  let left = cutsEach * bench.rounds
  await Promise.all(
    real.people.map(async (person) => {
      while (left-- > 0) cuts.push(await cut(site, real, person))
    })
  )
  return cuts
}

const row = (site: Site, what: string, cuts: ReadonlyArray<Cut>, beside: string): Row => {
  const both = cuts.map(({ fresh, open }) => Math.max(fresh, open))
  const at = (values: ReadonlyArray<number>, q: number) => quantile(values, q).toFixed(0)
  const open = cuts.map((each) => each.open)
  return {
    goal: 11,
    what,
    subscriptions: site.subscriptions,
    values: [quantile(both, 0.99)],
    unit: "ms",
    bound: { atMost: goal },
    yardstick: `p99 of ${both.length}; p50 ${at(both, 0.5)}, longest ${at(both, 1)}; the open connection p50 ${at(open, 0.5)}, p99 ${at(open, 0.99)}; ${beside}`,
    seen: { cuts }
  }
}

export const cuts: Case = {
  name: "cut",
  goals: [11],
  budget: 240,
  run: async (bench) => {
    const site = largest(bench)
    const [credential] = await site.sql.run(`SELECT credential FROM subscription WHERE id = '${idOf(1)}'`)
    const real = await RealNode.open(site, { people: lanes, maxTraffic })
    try {
      const neighbour = await real.neighbour.client.begin({ direction: "down", bytes: 1e10, rate })
      const kept = () => {
        Expect.holds("the neighbour's connection is open", neighbour.isOpen)
        const gap = Flow.longestGap(neighbour)
        Expect.atMost("the neighbour's milliseconds without a byte", gap, stuck)
        return `the neighbour kept its connection, longest gap ${gap} ms`
      }
      const quiet = await measure(bench, site, real)
      const rows = [row(site, "report to cut", quiet, kept())]
      const settle = disturb(site, Number(credential))
      const loaded = await measure(bench, site, real).finally(settle)
      const beside = `${busy.fetches} fetches/s and ${(busy.entries * 1000) / busy.every} entries/s beside`
      rows.push(row(site, "report to cut, busy", loaded, `${beside}; ${kept()}`))
      neighbour.close()
      return rows
    } finally {
      await real.close()
    }
  }
}
