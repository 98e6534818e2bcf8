/**
 * Administration: subscriptions are made, suspended, let in, limited, rotated, reset and deleted all the time, each lane
 * its own. A POST goes under a key, a PATCH and a DELETE for the version that was read; so an answer that was lost is had
 * by asking again, and the change stands once.
 */
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { Unexpected } from "../Report.ts"
import type { Answer, Asker, Question, Settled } from "./Ask.ts"
import type * as Kept from "./Kept.ts"
import { changing } from "./Kept.ts"

export interface Options {
  readonly asker: Asker
  /** The bearer token's header. */
  readonly headers: Readonly<Record<string, string>>
  readonly books: Kept.Books
  readonly owners: ReadonlyArray<string>
  readonly inboundIds: ReadonlyArray<string>
  readonly random: () => number
  /** Credentials that may be taken from the pool in all, so that no node needs another run. */
  readonly credentials: number
  /** Milliseconds between two changes of a lane. */
  readonly pause: number
}

export interface Administration {
  readonly all: () => ReadonlyArray<Kept.Kept>
  /** Addresses that lead nowhere any more, with when that was answered. */
  readonly dead: () => ReadonlyArray<{ readonly path: string; readonly at: number }>
  /** Answers that were lost or put off and had by asking again. */
  readonly resolved: () => number
  /** Makes a subscription of its own for each of `count`. */
  readonly found: (count: number) => Promise<void>
  /** Changes things until stopped. */
  readonly start: (lanes: number) => void
  readonly stop: () => Promise<void>
}

interface View {
  readonly id: string
  readonly config_path: string
  readonly is_suspended: boolean
  readonly max_traffic: number | null
}

const one = "/api/v1/subscriptions/{id}"

const viewOf = ({ body }: Answer) => JSON.parse(body) as View
const etagOf = ({ headers }: Answer) => headers.etag ?? ""

const unexpected = ({ method, path }: Question, { body, status }: Answer) =>
  new Unexpected(`${method} ${path}: ${status} ${body.slice(0, 300)}`)

/** A repetition found the change done, and nobody had said that it might be. */
const lied = ({ method, path }: Question) =>
  new Unexpected(`${method} ${path}: refused as if nothing were changed, and the change stands`)

export const make = (options: Options): Administration => {
  const { asker, books, credentials, headers, inboundIds, owners, pause, random } = options
  const all: Array<Kept.Kept> = []
  const dead: Array<{ readonly path: string; readonly at: number }> = []
  const over = new AbortController()
  let working: Promise<unknown> = Promise.resolve()
  let [taken, named, resolved] = [0, 0, 0]

  const noted = <A extends Settled>(answer: A): A => {
    if (answer.tries > 1) resolved++
    return answer
  }

  /** A POST, done once. */
  const post = async (template: string, path: string, expected: number, body?: unknown) => {
    const question: Question = {
      method: "POST",
      template,
      path,
      headers: { ...headers, "idempotency-key": randomUUID() },
      ...(body === undefined ? {} : { body })
    }
    const answer = noted(await asker.settle(question))
    if (answer.status !== expected) throw unexpected(question, answer)
    if (answer.headers["idempotency-replayed"] === "true" && !answer.isDoubtful) throw lied(question)
    return answer
  }

  const read = async (kept: Kept.Kept) => {
    const question: Question = { method: "GET", template: one, path: `/api/v1/subscriptions/${kept.id}`, headers }
    const answer = await asker.settle(question)
    if (answer.status !== 200) throw unexpected(question, answer)
    kept.etag = etagOf(answer)
    return viewOf(answer)
  }

  const create = async () => {
    const title = `soak ${named++}`
    const ownerId = owners[named % owners.length]!
    taken++
    const answer = await post("/api/v1/subscriptions", "/api/v1/subscriptions", 201, {
      title,
      owner_id: ownerId,
      inbound_ids: inboundIds
    })
    const { config_path: path, id } = viewOf(answer)
    books.book("subscription.create", id)
    all.push({
      id,
      ownerId,
      title,
      path,
      etag: etagOf(answer),
      isSuspended: false,
      isDeleted: false,
      maxTraffic: null,
      rotations: 0,
      version: 0,
      changedAt: performance.now()
    })
  }

  const act = async (kept: Kept.Kept, action: "suspend" | "resume" | "reset" | "rotate") => {
    const answer = await post(`${one}/${action}`, `/api/v1/subscriptions/${kept.id}/${action}`, 200)
    books.book(`subscription.${action}`, kept.id)
    const { config_path: path, is_suspended: isSuspended } = viewOf(answer)
    if (path !== kept.path) dead.push({ path: kept.path, at: performance.now() })
    if (action === "rotate") kept.rotations++
    Object.assign(kept, { path, isSuspended, etag: etagOf(answer) })
  }

  const limit = async (kept: Kept.Kept) => {
    const maxTraffic = random() < 0.3 ? null : Math.floor(10_000 + random() * 50_000_000)
    const question: Question = {
      method: "PATCH",
      template: one,
      path: `/api/v1/subscriptions/${kept.id}`,
      headers: { ...headers, "if-match": kept.etag },
      body: { max_traffic: maxTraffic }
    }
    const answer = noted(await asker.settle(question))
    if (answer.status === 412 && !answer.isDoubtful) throw lied(question)
    if (answer.status !== 200 && answer.status !== 412) throw unexpected(question, answer)
    if (answer.status === 200) kept.etag = etagOf(answer)
    else if ((await read(kept)).max_traffic !== maxTraffic) throw unexpected(question, answer)
    kept.maxTraffic = maxTraffic
    books.book("subscription.change", kept.id)
  }

  const remove = async (kept: Kept.Kept) => {
    const question: Question = {
      method: "DELETE",
      template: one,
      path: `/api/v1/subscriptions/${kept.id}`,
      headers: { ...headers, "if-match": kept.etag }
    }
    const answer = noted(await asker.settle(question))
    if (answer.status === 404 && !answer.isDoubtful) throw lied(question)
    if (answer.status !== 204 && answer.status !== 404) throw unexpected(question, answer)
    books.book("subscription.delete", kept.id)
    dead.push({ path: kept.path, at: performance.now() })
    kept.isDeleted = true
  }

  /** One change, drawn; those that take a credential only while there are some. */
  const change = async (lane: number, lanes: number) => {
    const mine = all.filter(({ isDeleted }, index) => index % lanes === lane && !isDeleted)
    const kept = mine[Math.floor(random() * mine.length)]
    const drawn = random()
    const mayTake = taken < credentials
    if (kept === undefined || (drawn < 0.15 && mayTake)) return mayTake ? create() : undefined
    return changing(kept, async () => {
      if (kept.isSuspended) return act(kept, "resume")
      if (drawn < 0.25 && mayTake) {
        taken++
        return act(kept, "rotate")
      }
      if (drawn < 0.3 && mine.length > 5) return remove(kept)
      if (drawn < 0.4) return act(kept, "reset")
      return drawn < 0.65 ? limit(kept) : act(kept, "suspend")
    })
  }

  const work = async (lane: number, lanes: number) => {
    const { signal } = over
    while (!signal.aborted) {
      await change(lane, lanes)
      await sleep(pause * (0.5 + random()), undefined, { signal }).catch(() => undefined)
    }
  }

  return {
    all: () => all,
    dead: () => dead,
    resolved: () => resolved,
    found: async (count) => {
      for (let index = 0; index < count; index++) await create()
    },
    start: (lanes) => {
      working = Promise.all(Array.from({ length: lanes }, (_, lane) => work(lane, lanes)))
      working.catch(() => undefined)
    },
    stop: async () => {
      over.abort()
      await working
    }
  }
}
