/**
 * Load on a cluster that goes on whatever happens to its servers: batches of agents, each repeated until it is
 * acknowledged and some of them more often, fetches of configs, and changes by their idempotency keys. What was
 * acknowledged is remembered, to be compared with what the database says in the end.
 */
import { randomUUID } from "node:crypto"
import { request } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import * as Expect from "../Expect.ts"
import * as Batches from "./Batches.ts"
import type * as Cluster from "./Cluster.ts"

/** How many agents, clients and administrators ask at once. */
const agents = 8
const clients = 4
const administrators = 2

/** How long a request is waited for, and how long whoever asks goes on asking. */
const patience = 5000
const persistence = 60_000

export interface Sums {
  /** Bytes by subscription. */
  readonly bytes: ReadonlyMap<string, bigint>
  readonly batches: number
  readonly repeated: number
  /** How often each audited action was done. */
  readonly changes: ReadonlyMap<string, number>
  /** Answers by kind and status, failures of connections by their code. */
  readonly answers: ReadonlyMap<string, number>
}

export interface Traffic {
  /** Lets everybody finish what they began, and answers what was acknowledged. */
  readonly stop: () => Promise<Sums>
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** Asks over a connection of its own, so that the balancer chooses each time. */
const ask = (base: string, { body, headers, method, path }: Asked) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const asked = request(`${base}${path}`, { method, headers, agent: false, timeout: patience }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (text += part))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }))
      response.on("error", reject)
    })
    asked.on("timeout", () => asked.destroy(Object.assign(new Error("no answer in time"), { code: "TIMEOUT" })))
    asked.on("error", reject)
    asked.end(body)
  })

/** Statuses after which a request is repeated: away, or its first copy is still at work. */
const passing = new Set([409, 429, 502, 503])

/** Starts the load. */
export const start = (cluster: Cluster.Cluster, random: () => number): Traffic => {
  const base = cluster.balancer.url
  const bytes = new Map<string, bigint>()
  const changes = new Map<string, number>()
  const answers = new Map<string, number>()
  const traffic = { isOver: false }
  let batches = 0
  let repeated = 0
  const count = (of: Map<string, number>, key: string) => of.set(key, (of.get(key) ?? 0) + 1)

  /** Asks until it is done. Any status that does not pass is a failure of the run. */
  const persist = async (kind: string, asked: Asked): Promise<string> => {
    for (const until = Date.now() + persistence; ; await sleep(50)) {
      const answer = await ask(base, asked).catch((cause: { readonly code?: string }) => cause.code ?? "unknown")
      count(answers, `${kind} ${typeof answer === "string" ? answer : answer.status}`)
      if (typeof answer !== "string" && answer.status < 300) return answer.text
      if (typeof answer !== "string" && !passing.has(answer.status))
        throw new Error(`${asked.method} ${asked.path}: ${answer.status} ${answer.text.slice(0, 300)}`)
      if (Date.now() > until) throw new Error(`${asked.method} ${asked.path}: not done in ${persistence} ms`)
    }
  }

  const agent = async (index: number) => {
    const sender = cluster.senders[index % cluster.senders.length]!
    const spool = randomUUID()
    for (let seq = 1; !traffic.isOver; seq++) {
      const batch = Batches.next(sender, [...cluster.people.keys()], { spool, seq }, random)
      const asked = {
        method: "POST",
        path: "/node/v1/reports",
        headers: Batches.headersOf(sender),
        body: batch.body
      }
      const copies = random() < 0.1 ? 2 : 1
      await Promise.all(Array.from({ length: copies }, () => persist("report", asked)))
      const again = random() < 0.1 ? 1 : 0
      if (again > 0) await persist("repeated report", asked)
      repeated += copies - 1 + again
      batches++
      for (const entry of batch.entries) {
        const id = Expect.present("a subscription", cluster.people.get(entry.credential))
        bytes.set(id, (bytes.get(id) ?? 0n) + entry.bytes)
      }
      await sleep(50)
    }
  }

  const client = async () => {
    const ids = [...cluster.people.values()]
    while (!traffic.isOver) {
      const id = ids[Math.floor(random() * ids.length)]!
      await persist("fetch", { method: "GET", path: `/s/${id}`, headers: {} })
      await sleep(20)
    }
  }

  const change = async (action: string, path: string, body?: unknown) => {
    const text = await persist("change", {
      method: "POST",
      path: `/api/v1${path}`,
      headers: {
        authorization: `Bearer ${cluster.token}`,
        "idempotency-key": randomUUID(),
        ...(body === undefined ? {} : { "content-type": "application/json" })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    count(changes, action)
    return JSON.parse(text) as { readonly id: string }
  }

  const administrator = async () => {
    const body = { title: "made under load", inbound_ids: cluster.inboundIds }
    while (!traffic.isOver) {
      const { id } = await change("subscription.create", "/subscriptions", body)
      await change("subscription.suspend", `/subscriptions/${id}/suspend`)
      await change("subscription.resume", `/subscriptions/${id}/resume`)
      await sleep(50)
    }
  }

  const all = Promise.all([
    ...Array.from({ length: agents }, (_, index) => agent(index)),
    ...Array.from({ length: clients }, client),
    ...Array.from({ length: administrators }, administrator)
  ])
  all.catch(() => (traffic.isOver = true))
  return {
    stop: async () => {
      traffic.isOver = true
      await all
      return { bytes, batches, repeated, changes, answers }
    }
  }
}
