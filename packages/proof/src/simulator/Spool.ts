/**
 * The memory of a simulated agent: batches in order under one random id, numbered 1, 2, 3 …, never changed once they
 * were sent, kept until they were acknowledged. What was not sent yet takes more, within one grain.
 */
import { randomUUID } from "node:crypto"
import { type Entry, keyOf } from "./Books.ts"

/** A batch that was handed out: `text` is its JSON, for ever. */
export interface Batch {
  readonly seq: number
  readonly entries: ReadonlyArray<Entry>
  readonly text: string
}

interface Open {
  from: number
  to: number
  readonly edge: number
  readonly entries: Map<number, Entry>
}

/** What the server takes in one batch. */
const maxEntries = 20_000

export interface Spool {
  /** Books entries counted in `(since the last ones, now]`. */
  readonly count: (entries: ReadonlyArray<Entry>, now: number, grain: number) => void
  /** Makes what waits immutable; with nothing waiting, an empty batch: the heartbeat. `cut` makes two of the last. */
  readonly seal: (now: number, cut: boolean) => void
  /** Batches that wait for their acknowledgement, the oldest first. */
  readonly waiting: () => ReadonlyArray<Batch>
  /** The lowest seq that is not acknowledged. */
  readonly lowest: () => number
  readonly acknowledge: (seq: number) => void
  /** True when nothing that was counted waits, sealed or not. */
  readonly isSettled: () => boolean
}

const time = (millis: number) => new Date(millis).toISOString()

/** Makes an empty spool. */
export const make = (began: number): Spool => {
  const id = randomUUID()
  let [last, nextSeq] = [began, 1]
  let open: Array<Open> = []
  let sealed: Array<Batch> = []

  const write = (entries: ReadonlyArray<Entry>, from: number, to: number) => {
    const seq = nextSeq++
    const lines = entries.map(
      ({ credential, down, inbound, up }) =>
        `{"credential":${credential},"inbound":${inbound},"bytes_up":${up},"bytes_down":${down}}`
    )
    const times = `"from":"${time(from)}","to":"${time(to)}"`
    sealed.push({ seq, entries, text: `{"spool":"${id}","seq":${seq},${times},"entries":[${lines.join()}]}` })
  }

  const interval = (now: number, grain: number) => {
    const from = Math.min(last, now)
    last = now
    return { from, to: now, edge: Math.ceil(now / grain) * grain }
  }

  return {
    count: (entries, now, grain) => {
      if (entries.length === 0) return
      const { edge, from, to } = interval(now, grain)
      for (const entry of entries) {
        const key = keyOf(entry)
        let home = open.at(-1)
        const isFull = home !== undefined && home.entries.size >= maxEntries && !home.entries.has(key)
        if (home === undefined || home.edge !== edge || isFull)
          open.push((home = { from, to, edge, entries: new Map() }))
        home.from = Math.min(home.from, from)
        home.to = Math.max(home.to, to)
        const { down, up } = home.entries.get(key) ?? { up: 0, down: 0 }
        home.entries.set(key, { ...entry, up: up + entry.up, down: down + entry.down })
      }
    },
    seal: (now, cut) => {
      for (const [index, { entries, from, to }] of open.entries()) {
        const all = [...entries.values()]
        const half = cut && index === open.length - 1 ? all.length >> 1 : 0
        if (half > 0) write(all.slice(0, half), from, to)
        write(all.slice(half), from, to)
      }
      open = []
      if (sealed.length === 0) write([], Math.min(last, now), now)
    },
    waiting: () => sealed,
    lowest: () => sealed[0]?.seq ?? nextSeq,
    acknowledge: (seq) => {
      sealed = sealed.filter((batch) => batch.seq !== seq)
    },
    isSettled: () => open.length === 0 && sealed.every(({ entries }) => entries.length === 0)
  }
}
