/**
 * What a server does beside `/s`, at an even pace: batches of reports as an agent posts them, pages of lists as a page
 * of administration asks for them, and sign-ins, each of which takes 19 MiB for its hash. Every answer is checked.
 */
import { randomBytes, randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { Api } from "@vpnmgr/proof"
import { idOf, titleOf } from "./Seed.ts"
import type { Site } from "./Site.ts"

/** Entries of a batch, on every site alike: memory is compared among them. */
const entries = 1000

/** Milliseconds between two of the same kind. */
const pace = { reports: 1000, pages: 250, signIns: 500 } as const

/** What was done; each at least once, or it was no mixture. */
export type Done = Record<keyof typeof pace, number>

export interface Mixture {
  /** Does it all on a site until told to stop, and answers what was done. Fails with the first wrong answer. */
  readonly during: <A>(work: Promise<A>) => Promise<readonly [A, Done]>
}

const reporter = ({ node, server, subscriptions }: Site, firstRef: number) => {
  const spool = randomUUID()
  let [seq, at] = [0, 0]
  return async () => {
    const [now, inbound] = [Date.now(), node.inbounds[0]!]
    const entry = () => ({ credential: firstRef + (at++ % subscriptions), inbound, bytes_up: 1000, bytes_down: 10_000 })
    const times = { from: new Date(now - 10_000).toISOString(), to: new Date(now).toISOString() }
    const batch = { spool, seq: ++seq, ...times, entries: Array.from({ length: entries }, entry) }
    const sent_at = new Date(now).toISOString()
    const response = await fetch(`${server.url}/node/v1/reports`, {
      method: "POST",
      headers: { authorization: `Bearer ${node.key}`, "content-type": "application/json", "vpnmgr-protocol": "1.0" },
      body: JSON.stringify({ batch, sent_at, lowest: seq, agent_version: "bench", plane_version: null })
    })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`a batch was answered ${response.status}: ${text}`)
  }
}

const reader = ({ api, subscriptions }: Site) => {
  let at = 0
  const count = async (path: string, least: number) => {
    const { items } = await api.request<{ readonly items: ReadonlyArray<unknown> }>("GET", path)
    if (items.length < least) throw new Error(`${path}: ${items.length} items, not ${least}`)
  }
  const asks = [
    () => count("/subscriptions?limit=100", Math.min(100, subscriptions)),
    () => count(`/subscriptions?search=${encodeURIComponent(titleOf(1 + (at % subscriptions)))}`, 1),
    () => api.get(idOf(1 + (at % subscriptions))),
    () => count("/nodes?limit=100", 2),
    () => count("/audit?limit=100", 1)
  ]
  return async () => void (await asks[at++ % asks.length]!())
}

/** Makes the mixture for a site: an operator who signs in, a spool that reports. */
export const make = async (site: Site): Promise<Mixture> => {
  const [ref] = await site.sql.run(`SELECT credential FROM subscription WHERE id = '${idOf(1)}'`)
  const operator = { username: `bench-${randomUUID()}`, password: randomBytes(15).toString("base64url") }
  await site.api.request("POST", "/users", { ...operator, role: "operator" })
  const kinds = {
    reports: reporter(site, Number(ref)),
    pages: reader(site),
    signIns: () => Api.make(site.server.url).signIn(operator.username, operator.password)
  }
  const during: Mixture["during"] = async (work) => {
    const over = new AbortController()
    const done: Done = { reports: 0, pages: 0, signIns: 0 }
    const going = (Object.keys(kinds) as Array<keyof Done>).map(async (kind) => {
      while (!over.signal.aborted) {
        const next = sleep(pace[kind])
        await kinds[kind]()
        done[kind]++
        await next
      }
    })
    const [answer] = await Promise.all([work.finally(() => over.abort()), ...going])
    const lacking = Object.entries(done).find(([, count]) => count === 0)
    if (lacking !== undefined) throw new Error(`there were no ${lacking[0]} in the mixture`)
    return [answer, done]
  }
  return { during }
}
