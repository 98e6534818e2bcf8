/**
 * Many nodes on a site of their own: each with one inbound and as many subscriptions as any other, and a simulated agent
 * that speaks the real protocol. What agents were acknowledged is compared with the store to the byte before any figure
 * is given.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { Fold } from "@vpnmgr/core"
import { Simulator } from "@vpnmgr/proof"
import * as Cpu from "./Cpu.ts"
import { quantile } from "./Figures.ts"
import * as Seed from "./Seed.ts"
import type { Site } from "./Site.ts"
import * as Stores from "./Stores.ts"

export interface Fleet {
  readonly site: Site
  readonly simulator: Simulator.Simulator
  /** Inbounds by the agents' index. */
  readonly inbounds: ReadonlyArray<string>
  /** Lets the first `agents` report at a pace, alone, for a while. */
  readonly measure: (how: Pace) => Promise<Measured>
  /** Lets them report at a pace and folds it all at once: PostgreSQL's CPU for an entry, microseconds. */
  readonly folding: (how: Pace) => Promise<number>
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

const settle = 3000

/** Milliseconds until every agent polls. */
const patience = 60_000

interface Made {
  readonly id: string
  readonly key: string
  readonly inbound: string
}

/**
 * Nodes, keys and inbounds by SQL: copies of an inbound that the API made, their settings sealed for their own rows as
 * the server seals them, and each node at its first revision.
 */
const furnish = async ({ encryptionKey, sql }: Site, nodes: number): Promise<ReadonlyArray<Made>> => {
  const made = Array.from({ length: nodes }, () => ({
    id: randomUUID(),
    key: randomBytes(24).toString("base64url"),
    inbound: randomUUID()
  }))
  const key = Buffer.from(encryptionKey, "base64")
  const [open, seal] = [Seed.opener(key), Seed.sealer(key)]
  const template = "SELECT id, encode(settings, 'hex') FROM inbound WHERE protocol = 'shadowsocks' ORDER BY ref LIMIT 1"
  const [row = ""] = await sql.run(template)
  const [templateId = "", sealed = ""] = row.split("|")
  const place = (id: string) => `inbound|settings|${id}`
  const settings = open(place(templateId), Buffer.from(sealed, "hex"))
  const copy = (into: string, rows: ReadonlyArray<ReadonlyArray<string>>) =>
    sql.copy(
      `COPY ${into} FROM STDIN`,
      rows.map((fields) => `${fields.join("\t")}\n`)
    )
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
  await copy(
    "node (id, created_at, updated_at)",
    made.map(({ id }) => [id, "now", "now"])
  )
  await copy(
    "node_token (id, node_id, key_hash, created_at)",
    made.map(({ id, key }) => [randomUUID(), id, sha256(key), "now"])
  )
  await copy(
    "node_head (node_id, revision)",
    made.map(({ id }) => [id, "1"])
  )
  await sql.run("CREATE UNLOGGED TABLE made_inbound (id uuid, node_id uuid, settings bytea)")
  await copy(
    "made_inbound",
    made.map(({ id, inbound }) => [inbound, id, `\\\\x${seal(place(inbound), settings).toString("hex")}`])
  )
  await sql.run(
    `INSERT INTO inbound (id, node_id, settings, host, port, listen, protocol, network, tls, geo, purpose, is_active,
        traffic_multiplier, created_at, updated_at)
      SELECT m.id, m.node_id, m.settings, t.host, t.port, t.listen, t.protocol, t.network, t.tls, t.geo, t.purpose,
        t.is_active, t.traffic_multiplier, now(), now() FROM made_inbound m, inbound t WHERE t.id = '${templateId}'`,
    "DROP TABLE made_inbound"
  )
  return made
}

/** Links subscription n to node n modulo `nodes`; and `wide` in turn to each of the further nodes. */
const link = async ({ sql, subscriptions }: Site, made: ReadonlyArray<Made>, options: Options) => {
  const { each, nodes, wide, wideNodes } = options
  if (nodes * each > subscriptions || wide > subscriptions) throw new Error("there are too few subscriptions")
  const list = `ARRAY[${made.map(({ inbound }) => `'${inbound}'`).join()}]::uuid[]`
  const seeded = (n: string) => `('${Seed.idOf(0).slice(0, 24)}' || lpad(to_hex(${n}), 12, '0'))::uuid`
  const insert = (from: string, subscription: string, inbound: string) =>
    `INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
      SELECT ${seeded(subscription)}, (${list})[1 + ${inbound}], now() - interval '1 day' FROM ${from}`
  await sql.script([
    `${insert(`generate_series(1, ${nodes * each}) AS n`, "n", `n % ${nodes}`)};\n`,
    `${insert(
      `generate_series(0, ${wideNodes - 1}) AS i, generate_series(1, ${wide}) AS n`,
      `1 + (i * ${wide} + n) % ${subscriptions}`,
      `(${nodes} + i)`
    )};\n`,
    `UPDATE bucket b SET inbounds = ARRAY(SELECT i.ref FROM subscription_inbound l JOIN inbound i ON i.id = l.inbound_id
      WHERE l.subscription_id = b.id ORDER BY i.ref) WHERE b.kind = 'subscription';\nVACUUM (ANALYZE);\n`
  ])
}

/** What each agent begins with: as if it had been told of its node's first revision. */
const plans = async ({ server, sql }: Site, made: ReadonlyArray<Made>): Promise<ReadonlyArray<Simulator.AgentPlan>> => {
  const [generation = ""] = await sql.run("SELECT value FROM setting WHERE key = 'generation'")
  const rows = await sql.run(`SELECT i.id, i.ref, string_agg(s.credential::text, ',')
    FROM inbound i JOIN subscription_inbound l ON l.inbound_id = i.id JOIN subscription s ON s.id = l.subscription_id
    GROUP BY i.id, i.ref`)
  const known = new Map(
    rows.map((row) => {
      const [id = "", inbound, credentials = ""] = row.split("|")
      return [
        id,
        { generation, revision: 1, inbound: Number(inbound), credentials: credentials.split(",").map(Number) }
      ]
    })
  )
  return made.map(({ inbound, key }) => ({ key, urls: [server.url], known: known.get(inbound)! }))
}

/** Answers that a server that is not overloaded never gives. */
const wrong = ({ answers, broken, problems }: Simulator.Figures): string | null =>
  Object.keys(problems).length + Object.keys(broken).length === 0 ? null : JSON.stringify({ answers, broken, problems })

/** What the store counted, by the refs of credential and inbound: raw rows, for hourly sums are made of them later. */
const counted = async ({ sql }: Site): Promise<ReadonlyMap<string, string>> =>
  new Map(
    (
      await sql.run(`SELECT s.credential || ' ' || i.ref, sum(p.bytes_up), sum(p.bytes_down)
        FROM traffic_report p JOIN subscription s ON s.id = p.subscription_id JOIN inbound i ON i.id = p.inbound_id
        GROUP BY s.credential, i.ref`)
    ).map((row) => {
      const [pair = "", up, down] = row.split("|")
      return [pair, `${up} up, ${down} down`]
    })
  )

/** Opens a fleet: every agent polls; none reports yet. */
export const open = async (site: Site, options: Options): Promise<Fleet> => {
  const nodes = options.nodes + options.wideNodes
  const made = await furnish(site, nodes)
  await link(site, made, options)
  const simulator = await Simulator.start({ agents: await plans(site, made), every: 86_400_000, ramp: nodes })
  await simulator.begin()
  for (const until = Date.now() + patience; ; await sleep(500)) {
    const { answers, broken, polling, problems } = await simulator.figures()
    if (polling === nodes) break
    if (Date.now() > until) {
      throw new Error(`${polling} of ${nodes} agents poll: ${JSON.stringify({ answers, broken, problems })}`)
    }
  }

  const used = () => {
    const { postgres, server } = site.behind()
    return { server: Cpu.used(server), postgres: Cpu.used(postgres!) }
  }

  /**
   * A server folds when reports have waited five minutes, or when too many wait: in few measurements, and in these all
   * that many reported. So nothing waits when one begins, and folding has a figure of its own.
   */
  const stores = Stores.open(site)
  const fold = async () => {
    let rows = 0
    const { postgres } = await Stores.timed(site, async () => {
      rows = await stores.run(Fold.all)
    })
    return { rows, postgres }
  }

  const begin = async ({ agents, entries, every, skip = 0 }: Pace) => {
    await simulator.end()
    await fold()
    await simulator.load({ every, entries, ramp: 1000 })
    await simulator.begin(Array.from({ length: agents }, (_, index) => index + skip))
  }

  const folding = async (pace: Pace): Promise<number> => {
    await begin(pace)
    await sleep(pace.seconds * 1000)
    await simulator.end()
    const { postgres, rows } = await fold()
    return (postgres * 1000) / rows
  }

  const measure = async (pace: Pace): Promise<Measured> => {
    await begin(pace)
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

  const inbounds = made.map(({ inbound }) => inbound)
  const close = async () => {
    await simulator.close()
    await stores.close()
  }
  return { site, simulator, inbounds, measure, folding, audit, close }
}
