/**
 * One simulated agent: a long poll that is always open, what it is told answered with `applied`, and a report at its own
 * phase, in order, each repeated with growing pauses until it is acknowledged. What it counted outlives a stop, as a
 * spool on the disk does.
 */
import { gzipSync } from "node:zlib"
import { setTimeout as sleep } from "node:timers/promises"
import type { Books, Entry } from "./Books.ts"
import * as Line from "./Line.ts"
import type { Load, Trouble } from "./Plan.ts"
import * as Spool from "./Spool.ts"
import * as State from "./State.ts"
import type { Tally } from "./Tally.ts"

export interface Options {
  readonly index: number
  readonly key: string
  /** Where the next request goes. */
  readonly next: () => string
  /** Read at every report. */
  readonly load: () => Load
  readonly wait: number
  /** 0 to 1, exclusive. */
  readonly random: () => number
  readonly books: Books
  readonly tally: Tally
}

export interface Agent {
  /** Polls after `delay` milliseconds, reports first after `phase` of the time between two reports (0 to 1). */
  readonly start: (delay: number, phase: number) => void
  /** Ends as a killed agent does: connections break, nothing is sent any more. */
  readonly stop: () => void
  /** Counts nothing more and sends what waits; true once all is acknowledged, false when that takes too long. */
  readonly drain: (patience: number) => Promise<boolean>
  /** Moves its clock. */
  readonly jump: (milliseconds: number) => void
  readonly isPolling: () => boolean
  readonly isInformed: () => boolean
}

const protocol = "1.0"
const version = "simulator"

/** Milliseconds an answer may take, on top of what a poll waits. */
const timeout = 15_000

/** Bodies above this many bytes are compressed, as the agent does. */
const gzipAbove = 1024

/** The pause before another try: the agent's, doubling, by what went wrong. */
const pauses = { passing: { first: 500, longest: 10_000 }, refused: { first: 5000, longest: 60_000 } }

/** An answer that asking again at once will not change. */
class Refused extends Error {}

const codeOf = (body: string): string => {
  try {
    return String((JSON.parse(body) as { readonly code?: unknown }).code)
  } catch {
    return "none"
  }
}

const isPassing = (status: number) => status >= 500 || [408, 425, 429].includes(status)

/** Makes an agent that does nothing yet. */
export const make = (options: Options): Agent => {
  const { books, index, key, load, next, random, tally, wait } = options
  const state = State.make()
  const headers = `authorization: Bearer ${key}\r\nvpnmgr-protocol: ${protocol}\r\naccept: application/json\r\n`
  const lines = new Set<Line.Line>()
  let offset = 0
  let [isPolling, isCounting] = [false, true]
  let at = 0
  /** One from each start to the next stop; what belongs to an earlier one is over. */
  let life = new AbortController()
  /** The life that sends now. */
  let flushing: AbortSignal | undefined
  const clock = () => Date.now() + offset
  const spool = Spool.make(clock())

  /** One connection to each server. */
  const makeLane = () => {
    const byUrl = new Map<string, Line.Line>()
    return (request: Omit<Line.Request, "headers">) => {
      const url = next()
      const line = byUrl.get(url) ?? Line.make(url)
      byUrl.set(url, line)
      lines.add(line)
      const isZipped = request.body !== undefined && request.body.length > gzipAbove
      const typed = request.body === undefined ? "" : "content-type: application/json\r\n"
      const body = isZipped ? gzipSync(request.body!) : request.body
      const all = `${headers}${typed}${isZipped ? "content-encoding: gzip\r\n" : ""}`
      return line.ask({ ...request, headers: all, ...(body === undefined ? {} : { body }) })
    }
  }
  type Lane = ReturnType<typeof makeLane>
  const lanes = { poll: makeLane(), report: makeLane(), second: makeLane() }

  const ask = async (lane: Lane, request: Omit<Line.Request, "headers">): Promise<Line.Answer> => {
    const what = `${request.method} ${request.path.split("?", 1)[0]}`
    let answer: Line.Answer
    try {
      answer = await lane(request)
    } catch (cause) {
      const kind = cause instanceof Line.Broken ? cause.kind : String(cause)
      if (kind !== "stopped") tally.broke(what, kind)
      throw cause
    }
    const isGood = answer.status >= 200 && answer.status < 300
    tally.answered(`${what} ${answer.status}`, isGood ? undefined : codeOf(answer.body))
    if (isGood) return answer
    throw isPassing(answer.status) ? new Error(String(answer.status)) : new Refused(String(answer.status))
  }

  const pause = async (mine: AbortSignal, cause: unknown, tries: number) => {
    const { first, longest } = cause instanceof Refused ? pauses.refused : pauses.passing
    const middle = Math.min(longest, first * 2 ** Math.min(tries, 10))
    await sleep(middle * (0.75 + random() / 2), undefined, { signal: mine }).catch(() => undefined)
  }

  /** Repeats until it succeeds; stops trying, with null, when this life of the agent is over. */
  const persist = async <A>(mine: AbortSignal, action: () => Promise<A>): Promise<A | null> => {
    for (let tries = 0; !mine.aborted; tries++) {
      try {
        return await action()
      } catch (cause) {
        if (!mine.aborted) await pause(mine, cause, tries)
      }
    }
    return null
  }

  const post = (path: string, value: string) => ({
    method: "POST" as const,
    path: `/node/v1/${path}`,
    body: Buffer.from(value),
    within: timeout
  })

  const poll = async () => {
    const have = state.generation() === "" ? "" : `generation=${state.generation()}&revision=${state.revision()}&`
    const path = `/node/v1/state?${have}wait=${wait}`
    isPolling = true
    const { body, status } = await ask(lanes.poll, { method: "GET", path, within: wait * 1000 + timeout }).finally(
      () => (isPolling = false)
    )
    if (status === 204) return false
    const arrived = performance.timeOrigin + performance.now()
    const told = JSON.parse(body) as State.Wire
    state.lay(told)
    tally.told({
      agent: index,
      revision: told.revision,
      isWhole: told.since === null,
      bytes: Buffer.byteLength(body),
      at: arrived
    })
    return true
  }

  const applied = () =>
    JSON.stringify({
      generation: state.generation(),
      revision: state.revision(),
      outcome: "applied",
      detail: null,
      certificates: [],
      agent_version: version,
      plane_version: null
    })

  const polls = async (mine: AbortSignal) => {
    while (!mine.aborted) {
      if ((await persist(mine, poll)) === true) await persist(mine, () => ask(lanes.poll, post("applied", applied())))
    }
  }

  const happens = (kind: keyof Trouble): boolean => random() < load().trouble[kind]
  const troubled = (kind: keyof Trouble, did: boolean): boolean => {
    if (did) tally.troubled(kind)
    return did
  }

  const amount = (most: number) => 1 + Math.floor(random() * most)

  const count = () => {
    if (!isCounting) return
    const { bytes, entries } = load()
    const now = clock()
    const pairs = state.pairs(now)
    const size = Math.min(entries, pairs.length)
    const counted = Array.from({ length: size }, (_, step): Entry => {
      const { credential, inbound } = pairs[(at + step) % pairs.length]!
      return { credential, inbound, up: amount(bytes.up), down: amount(bytes.down) }
    })
    at = pairs.length === 0 ? 0 : (at + size) % pairs.length
    for (const entry of counted) books.add("counted", entry)
    spool.count(counted, now, state.grain())
  }

  const send = async (batch: Spool.Batch) => {
    const said = `"sent_at":"${new Date(clock()).toISOString()}","lowest":${spool.lowest()}`
    const report = post("reports", `{"batch":${batch.text},${said},"agent_version":"${version}","plane_version":null}`)
    const isCut = troubled("cut", happens("cut"))
    if (isCut) return await ask(lanes.report, { ...report, isCut })
    const second = troubled("twice", happens("twice")) ? ask(lanes.second, report).catch(() => undefined) : undefined
    const answers = [await ask(lanes.report, report).finally(() => second), await second]
    for (const answer of answers) if (answer !== undefined) tally.reported(answer.milliseconds)
    for (const entry of batch.entries) books.add("acknowledged", entry)
    spool.acknowledge(batch.seq)
    return tally.acknowledged(batch.entries.length)
  }

  /** Sends what waits, the oldest first; the second before the first where it is told so. */
  const deliver = async (mine: AbortSignal, isSwapped: boolean) => {
    const [first, later] = spool.waiting()
    if (isSwapped && first !== undefined && later !== undefined) await persist(mine, () => send(later))
    for (let [batch] = spool.waiting(); batch !== undefined && !mine.aborted; [batch] = spool.waiting()) {
      const oldest = batch
      await persist(mine, () => send(oldest))
    }
  }

  const flush = async (mine: AbortSignal) => {
    await deliver(mine, false)
    if (mine.aborted) return
    const isCut = happens("swapped")
    spool.seal(clock(), isCut)
    await deliver(mine, troubled("swapped", isCut && spool.waiting().length > 1))
  }

  /** Sends what there is unless that is being done; false when it is. */
  const flushAlone = (mine: AbortSignal): boolean => {
    if (flushing === mine) return false
    flushing = mine
    void flush(mine).finally(() => {
      if (flushing === mine) flushing = undefined
    })
    return true
  }

  const reports = async (mine: AbortSignal, phase: number) => {
    for (let due = performance.now() + load().every * phase; !mine.aborted; due += load().every) {
      const rest = Math.max(0, due - performance.now())
      await sleep(rest, undefined, { signal: mine }).catch(() => undefined)
      if (mine.aborted) return
      count()
      if (!flushAlone(mine)) tally.overdue()
    }
  }

  const stop = () => {
    life.abort()
    for (const line of lines) line.close()
    lines.clear()
  }

  return {
    start: (delay, phase) => {
      stop()
      life = new AbortController()
      isCounting = true
      const mine = life.signal
      void reports(mine, phase)
      void sleep(delay, undefined, { signal: mine }).then(
        () => polls(mine),
        () => undefined
      )
    },
    stop,
    drain: async (patience) => {
      isCounting = false
      for (const until = Date.now() + patience; !spool.isSettled() && Date.now() < until;) {
        flushAlone(life.signal)
        await sleep(50)
      }
      return spool.isSettled()
    },
    jump: (milliseconds) => {
      offset += milliseconds
    },
    isPolling: () => isPolling,
    isInformed: () => state.generation() !== ""
  }
}
