/**
 * A node that nobody knows anything of: each entry of its batches belongs into the quarantine. One batch writes enough to
 * need room on the disk, so it shows what a full one answers, and the quarantine's rows show that nothing was taken.
 */
import { randomUUID } from "node:crypto"
import type { Asker, Question } from "./Ask.ts"

export interface Batch {
  readonly spool: string
  readonly seq: number
  readonly entries: number
}

export interface Stranger {
  /** Makes the next batch; its numbers go on. */
  readonly batch: (entries: number) => Batch
  /** The question that sends it, to be asked again as often as it takes. */
  readonly question: (batch: Batch) => Question
  /** Books that it was taken. */
  readonly book: (batch: Batch) => void
  /** Sends it until it is taken, and books it. */
  readonly deliver: (batch: Batch) => Promise<void>
  /** Entries that were taken, by batch: `spool/seq`. */
  readonly taken: () => ReadonlyMap<string, number>
}

/** What no node was ever told. */
const firstUnknown = 1_000_000_000

/** Makes one with its node's key. */
export const make = (asker: Asker, key: string): Stranger => {
  const spool = randomUUID()
  const taken = new Map<string, number>()
  const times = new Map<number, string>()
  let seq = 0

  const question = (batch: Batch): Question => {
    const at = times.get(batch.seq) ?? new Date().toISOString()
    times.set(batch.seq, at)
    const entries = Array.from({ length: batch.entries }, (_, index) => ({
      credential: firstUnknown + index,
      inbound: 1,
      bytes_up: batch.seq,
      bytes_down: index
    }))
    return {
      method: "POST",
      template: "/node/v1/reports",
      path: "/node/v1/reports",
      headers: { authorization: `Bearer ${key}`, "vpnmgr-protocol": "1.0" },
      body: {
        batch: { spool, seq: batch.seq, from: at, to: at, entries },
        sent_at: new Date().toISOString(),
        lowest: batch.seq,
        agent_version: "stranger",
        plane_version: null
      }
    }
  }

  const book = ({ entries, seq, spool: of }: Batch) => void taken.set(`${of}/${seq}`, entries)

  return {
    book,
    batch: (entries) => ({ spool, seq: ++seq, entries }),
    question,
    deliver: async (batch) => {
      const answer = await asker.settle(question(batch))
      if (answer.status !== 200) throw new Error(`a batch of the stranger: ${answer.status} ${answer.body}`)
      book(batch)
    },
    taken: () => taken
  }
}
