/**
 * Many nodes on a site of their own: each with one inbound and as many subscriptions as any other, and a simulated agent
 * that speaks the real protocol. What agents were acknowledged is compared with the store to the byte before any figure
 * is given.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Simulator } from "@vpnmgr/proof"
import * as Cpu from "./Cpu.ts"
import { quantile } from "./Figures.ts"
import { idOf } from "./Seed.ts"
import type { Site } from "./Site.ts"

export interface Fleet {
  readonly site: Site
  readonly simulator: Simulator.Simulator
  /** Inbounds by the agents' index. */
  readonly inbounds: ReadonlyArray<string>
  /** Lets the first `agents` report at a pace, alone, for a while. */
  readonly measure: (how: Pace) => Promise<Measured>
  /** Fails unless the store holds exactly what was acknowledged. */
  readonly audit: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface Pace {
  readonly agents: number
  /** Milliseconds between the reports of an agent, and entries of each. */
  readonly every: number
  readonly entries: number
  readonly seconds: number
}

export interface Measured extends Pace {
  /** Entries acknowledged. */
  readonly acknowledged: number
  readonly reports: number
  readonly perSecond: number
  /** CPU, milliseconds, in all. */
  readonly server: number
  readonly postgres: number
  /** Shares of one core. */
  readonly serverShare: number
  readonly loadShare: number
  /** Of a report's answer, milliseconds; 0 when none was sent. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Reports that were due before the one before was acknowledged. */
  readonly overdue: number
}

export interface Options {
  readonly nodes: number
  /** Subscriptions linked to the inbound of each node: a subscription has one node. */
  readonly each: number
  /** Subscriptions linked to each of the first `wideNodes` nodes on top: with them a subscription has several. */
  readonly wide: number
  readonly wideNodes: number
}

/** Requests to the API at once. */
const lanes = 8

const settle = 3000

const inLanes = async <A>(count: number, make: (index: number) => Promise<A>): Promise<ReadonlyArray<A>> => {
  const made: Array<A> = []
  let next = 0
  const lane = async () => {
    for (let index = next++; index < count; index = next++) made[index] = await make(index)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return made
}

const furnish = ({ api }: Site, nodes: number) =>
  inLanes(nodes, async (index) => {
    const { id } = await api.createNode(`node ${index}`)
    const { key } = await api.createToken(id)
    const draft = { host: "198.51.100.99", listen: "::", port: 30_000, settings: { protocol: "shadowsocks" } }
    const inbound = await api.createInbound({ node_id: id, ...draft })
    return { key, inbound: inbound.id }
  })

/** Links subscription n to node n modulo `nodes`; and `wide` in turn to each of the first nodes. */
const link = async ({ sql, subscriptions }: Site, inbounds: ReadonlyArray<string>, options: Options) => {
  const { each, nodes, wide, wideNodes } = options
  if (nodes * each > subscriptions || wide > subscriptions) throw new Error("there are too few subscriptions")
  const list = `ARRAY[${inbounds.map((id) => `'${id}'`).join()}]::uuid[]`
  const seeded = (n: string) => `('${idOf(0).slice(0, 24)}' || lpad(to_hex(${n}), 12, '0'))::uuid`
  const insert = (from: string, subscription: string, inbound: string) =>
    `INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
      SELECT ${seeded(subscription)}, (${list})[1 + ${inbound}], now() - interval '1 day' FROM ${from}
      ON CONFLICT DO NOTHING`
  await sql.run(
    insert(`generate_series(1, ${nodes * each}) AS n`, "n", `n % ${nodes}`),
    insert(
      `generate_series(0, ${wideNodes - 1}) AS i, generate_series(1, ${wide}) AS n`,
      `1 + (i * ${wide} + n) % ${subscriptions}`,
      "i"
    ),
    "VACUUM (ANALYZE)"
  )
}

const wrong = ({ answers, broken, problems }: Simulator.Figures): string | undefined =>
  Object.keys(problems).length + Object.keys(broken).length === 0
    ? undefined
    : JSON.stringify({ answers, broken, problems })

/** What the store counted, by the refs of credential and inbound. */
const counted = async ({ sql }: Site): Promise<ReadonlyMap<string, string>> =>
  new Map(
    (
      await sql.run(`SELECT s.credential || ' ' || i.ref, sum(p.bytes_up), sum(p.bytes_down)
        FROM usage_piece p JOIN subscription s ON s.id = p.subscription_id JOIN inbound i ON i.id = p.inbound_id
        GROUP BY s.credential, i.ref`)
    ).map((row) => {
      const [pair = "", up, down] = row.split("|")
      return [pair, `${up} up, ${down} down`]
    })
  )

/** Opens a fleet: every agent knows its node's state and polls; none reports yet. */
export const open = async (site: Site, options: Options): Promise<Fleet> => {
  const { nodes } = options
  const made = await furnish(site, nodes)
  const inbounds = made.map(({ inbound }) => inbound)
  await link(site, inbounds, options)
  const agents = made.map(({ key }) => ({ key, urls: [site.server.url] }))
  const simulator = await Simulator.start({ agents, every: 86_400_000 })
  await simulator.begin()
  for (const until = Date.now() + 120_000; ; await sleep(500)) {
    const figures = await simulator.figures()
    const complaint = wrong(figures)
    if (complaint !== undefined || Date.now() > until) throw new Error(`agents do not get their states: ${complaint}`)
    if (figures.informed === nodes && figures.polling === nodes) break
  }

  const used = () => {
    const { postgres, server } = site.behind()
    return { server: Cpu.used(server), postgres: Cpu.used(postgres!) }
  }

  const measure = async (pace: Pace): Promise<Measured> => {
    await simulator.end()
    await simulator.load({ every: pace.every, entries: pace.entries })
    await simulator.begin(Array.from({ length: pace.agents }, (_, index) => index))
    await sleep(settle)
    const settling = await simulator.figures()
    const before = used()
    await sleep(pace.seconds * 1000)
    const after = used()
    const figures = await simulator.figures()
    const complaint = wrong(settling) ?? wrong(figures)
    if (complaint !== undefined) throw new Error(`agents were answered otherwise: ${complaint}`)
    if (figures.polling < pace.agents) throw new Error(`${figures.polling} of ${pace.agents} agents poll`)
    const { cpu, entries, overdue, reports, seconds } = figures
    const at = (q: number) => (reports.length === 0 ? 0 : quantile(reports, q))
    return {
      ...pace,
      acknowledged: entries,
      reports: reports.length,
      perSecond: entries / seconds,
      server: after.server - before.server,
      postgres: after.postgres - before.postgres,
      serverShare: (after.server - before.server) / (seconds * 1000),
      loadShare: cpu / (seconds * 1000),
      p50: at(0.5),
      p99: at(0.99),
      max: at(1),
      overdue
    }
  }

  const audit = async () => {
    await simulator.end()
    await simulator.load({ every: 86_400_000 })
    await simulator.begin()
    if (!(await simulator.drain(60_000))) throw new Error("not every report was acknowledged within a minute")
    const [accounts, store] = [await simulator.books(), await counted(site)]
    for (const { acknowledged, credential, inbound } of accounts) {
      const known = store.get(`${credential} ${inbound}`)
      const told = `${acknowledged.up} up, ${acknowledged.down} down`
      if (known !== told) throw new Error(`${credential} at ${inbound}: acknowledged ${told}, counted ${known}`)
    }
    if (store.size !== accounts.length)
      throw new Error(`${store.size} accounts in the store, ${accounts.length} reported`)
  }

  return { site, simulator, inbounds, measure, audit, close: simulator.close }
}
