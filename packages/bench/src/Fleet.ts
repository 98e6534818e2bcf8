/**
 * Many nodes on a site of their own: each with one inbound and as many subscriptions as any other, and a simulated agent
 * that speaks the real protocol. What agents were acknowledged is compared with the store to the byte before any figure
 * is given.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto"
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
  /** The first agents, or those after as many as `skip`. */
  readonly agents: number
  readonly skip?: number
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
  /** What was answered that should not have been, timeouts included; null = nothing. */
  readonly wrong: string | null
}

export interface Options {
  readonly nodes: number
  /** Subscriptions linked to the inbound of each node: among these nodes a subscription has one. */
  readonly each: number
  /** Further nodes, whose agents come after the others, and how many of the same subscriptions each has. */
  readonly wideNodes: number
  readonly wide: number
}

/** Requests to the API at once. */
const lanes = 8

const settle = 3000

/** Milliseconds until every agent has its whole state. */
const patience = 600_000

const inLanes = async <A>(count: number, make: (index: number) => Promise<A>): Promise<ReadonlyArray<A>> => {
  const made: Array<A> = []
  let next = 0
  const lane = async () => {
    for (let index = next++; index < count; index = next++) made[index] = await make(index)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return made
}

/** Nodes and keys by SQL, inbounds by the API, which seals what is secret of them. */
const furnish = async ({ api, sql }: Site, nodes: number) => {
  const made = Array.from({ length: nodes }, () => ({ id: randomUUID(), key: randomBytes(24).toString("base64url") }))
  await sql.script([
    "COPY node (id, created_at, updated_at) FROM STDIN;\n",
    ...made.map(({ id }) => `${id}\tnow\tnow\n`),
    "\\.\nCOPY node_token (id, node_id, key_hash, created_at) FROM STDIN;\n",
    ...made.map(({ id, key }) =>
      [randomUUID(), id, createHash("sha256").update(key).digest("hex"), "now\n"].join("\t")
    ),
    "\\.\n"
  ])
  const draft = { host: "198.51.100.99", listen: "::", port: 30_000, settings: { protocol: "shadowsocks" } }
  const inbounds = await inLanes(nodes, (index) => api.createInbound({ node_id: made[index]!.id, ...draft }))
  return made.map(({ key }, index) => ({ key, inbound: inbounds[index]!.id }))
}

/** Links subscription n to node n modulo `nodes`; and `wide` in turn to each of the further nodes. */
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
      `(${nodes} + i)`
    ),
    "VACUUM (ANALYZE)"
  )
}

/** Answers that a server that is not overloaded never gives. */
const wrong = ({ answers, broken, problems }: Simulator.Figures): string | null =>
  Object.keys(problems).length + Object.keys(broken).length === 0 ? null : JSON.stringify({ answers, broken, problems })

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
  const nodes = options.nodes + options.wideNodes
  const made = await furnish(site, nodes)
  const inbounds = made.map(({ inbound }) => inbound)
  await link(site, inbounds, options)
  const agents = made.map(({ key }) => ({ key, urls: [site.server.url] }))
  const simulator = await Simulator.start({ agents, every: 86_400_000, ramp: nodes * 20 })
  await simulator.begin()
  for (const until = Date.now() + patience; ; await sleep(500)) {
    const { answers, broken, informed, polling, problems } = await simulator.figures()
    if (informed === nodes && polling === nodes) break
    if (Date.now() > until) {
      throw new Error(`${informed} of ${nodes} agents have a state: ${JSON.stringify({ answers, broken, problems })}`)
    }
  }

  const used = () => {
    const { postgres, server } = site.behind()
    return { server: Cpu.used(server), postgres: Cpu.used(postgres!) }
  }

  const measure = async (pace: Pace): Promise<Measured> => {
    await simulator.end()
    await simulator.load({ every: pace.every, entries: pace.entries, ramp: 1000 })
    await simulator.begin(Array.from({ length: pace.agents }, (_, index) => index + (pace.skip ?? 0)))
    await sleep(settle)
    const settling = await simulator.figures()
    const before = used()
    await sleep(pace.seconds * 1000)
    const after = used()
    const figures = await simulator.figures()
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
      overdue,
      wrong: wrong(settling) ?? wrong(figures)
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
