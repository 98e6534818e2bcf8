/**
 * Goals 4 and 6: batches of traffic reports as an agent posts them, one entry for each of 10,000 credentials, against
 * COPY of the same rows into a table without an index; and the same batches once more, which must change nothing.
 *
 * The server does all of its work for them: usage, windows and verdicts, in the batch's transaction. What it folds later
 * (pieces, the access log) it folds as in production, by its own job.
 */
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { Agent, type IncomingMessage, request } from "node:http"
import { text } from "node:stream/consumers"
import { type Case, largest } from "../Case.ts"
import * as Copy from "../Copy.ts"
import * as Cpu from "../Cpu.ts"
import { median, short } from "../Figures.ts"
import * as Load from "../Load.ts"
import { idOf } from "../Seed.ts"
import type { Site } from "../Site.ts"

const batchSize = 10_000
const batchesEach = 5
const down = 10_000
const up = 1000

interface Figure {
  readonly milliseconds: number
  /** CPU of the server and of PostgreSQL, microseconds per entry. */
  readonly server: number
  readonly postgres: number
}

/** Makes the next batches of a spool; they go on through the credentials where the last ones ended. */
const batches = (site: Site, firstRef: number) => {
  const spool = randomUUID()
  const size = Math.min(batchSize, site.subscriptions)
  let [seq, at] = [0, 0]
  const entry = () => ({
    credential: firstRef + (at++ % site.subscriptions),
    inbound: site.node.inbounds[0]!,
    bytes_up: up,
    bytes_down: down
  })
  return {
    size,
    next: (): ReadonlyArray<Buffer> =>
      Array.from({ length: batchesEach }, () => {
        const now = Date.now()
        const times = { from: new Date(now - 10_000).toISOString(), to: new Date(now).toISOString() }
        const batch = { spool, seq: ++seq, ...times, entries: Array.from({ length: size }, entry) }
        const sent_at = new Date(now).toISOString()
        return Buffer.from(JSON.stringify({ batch, sent_at, lowest: 1, agent_version: "bench", plane_version: null }))
      })
  }
}

/** One connection for all, and bodies that are encoded before: `fetch` took four of the milliseconds it was to measure. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

const post = async ({ node, server }: Site, body: Buffer): Promise<void> => {
  const headers = { authorization: `Bearer ${node.key}`, "content-type": "application/json", "vpnmgr-protocol": "1.0" }
  const sent = request(`${server.url}/node/v1/reports`, {
    method: "POST",
    agent,
    headers: { ...headers, "content-length": body.length }
  })
  sent.end(body)
  const [response] = (await once(sent, "response")) as [IncomingMessage]
  const answer = await text(response)
  if (response.statusCode !== 200) throw new Error(`a batch was answered ${response.statusCode}: ${answer}`)
}

const postAll = async (site: Site, bodies: ReadonlyArray<Buffer>, entries: number): Promise<Figure> => {
  const { postgres, server } = site.behind()
  const cpu = () => [Cpu.used(server), Cpu.used(postgres!)] as const
  const before = cpu()
  const began = performance.now()
  for (const body of bodies) await post(site, body)
  const milliseconds = performance.now() - began
  const after = cpu()
  const each = (index: 0 | 1) => ((after[index] - before[index]) * 1000) / entries
  return { milliseconds, server: each(0), postgres: each(1) }
}

const counted = async ({ sql }: Site): Promise<string> =>
  (
    await sql.run(
      "SELECT (SELECT sum(bytes_up + bytes_down) FROM bucket), (SELECT sum(bytes_up + bytes_down) FROM traffic_report)",
      "SELECT (SELECT count(*) FROM traffic_report), (SELECT count(*) FROM quarantine), (SELECT count(*) FROM report_key)"
    )
  ).join("|")

export const reports: Case = {
  name: "reports",
  goals: [4, 6],
  run: async (bench) => {
    const site = largest(bench)
    const [firstRef] = await site.sql.run(`SELECT credential FROM subscription WHERE id = '${idOf(1)}'`)
    const source = batches(site, Number(firstRef))
    const entries = source.size * batchesEach
    const copy = await Copy.make(site, source.size, batchesEach)
    const raw = async () => Number((await site.sql.run("SELECT count(*) FROM traffic_report"))[0])

    const round = async () => {
      const bodies = source.next()
      const before = await raw()
      const first = await postAll(site, bodies, entries)
      const made = (await raw()) - before
      if (made !== entries) throw new Error(`${made} raw rows for ${entries} entries`)
      const known = await counted(site)
      const again = await postAll(site, bodies, entries)
      const now = await counted(site)
      if (now !== known) throw new Error(`a replay changed what was counted: ${known} became ${now}`)
      return { first, again }
    }
    await round()
    await copy()
    const [ours, copied] = await Load.interleaved(bench.rounds, round, copy)
    const perSecond = (milliseconds: number) => (entries / milliseconds) * 1000
    const middle = (of: (figure: Figure) => number) => short(median(ours.map(({ first }) => of(first))))
    const posted = `${middle(({ milliseconds }) => perSecond(milliseconds))}/s, CPU µs ${middle(({ server }) => server)} + ${middle(({ postgres }) => postgres)} PostgreSQL an entry`
    const seen = { entries, ours, copied }
    return [
      {
        goal: 4,
        what: "entries over HTTP, fully counted",
        subscriptions: site.subscriptions,
        values: ours.map(({ first }, index) => copied[index]! / first.milliseconds),
        unit: "×" as const,
        bound: { atLeast: 0.35 },
        yardstick: `COPY ${short(perSecond(median(copied)))}/s; ours ${posted}`,
        seen
      },
      {
        goal: 6,
        what: "a batch sent again",
        subscriptions: site.subscriptions,
        values: ours.map(({ again, first }) => again.milliseconds / first.milliseconds),
        unit: "×" as const,
        bound: { atMost: 0.1 },
        yardstick: `the first time ${middle(({ milliseconds }) => milliseconds / batchesEach)} ms a batch; no row changed`,
        seen
      }
    ]
  }
}
