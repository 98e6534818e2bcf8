/** A node's agent as a history sees it: batches in a spool, sent in any order, more than once, by a clock of its own. */

/** What was counted for (credential, inbound); `subscription` is for the oracle only. */
export interface Count {
  readonly subscription: string
  readonly credential: number
  readonly inbound: number
  readonly up: bigint
  readonly down: bigint
}

/** Times by the agent's clock. */
export interface Batch {
  readonly from: number
  readonly to: number
  readonly counts: ReadonlyArray<Count>
}

export interface SentBatch extends Batch {
  readonly spool: string
  readonly seq: number
}

export class Agent {
  skew = 0
  spool: string = crypto.randomUUID()
  private nextSeq = 1
  private since: number
  private counted: Array<Count> = []
  private unsent: Array<Batch> = []
  /** Everything that was ever handed to the network: the network may hand it on again. */
  private readonly sent: Array<SentBatch> = []
  private readonly acknowledged = new Set<SentBatch>()

  constructor(now: number) {
    this.since = now
  }

  count(count: Count): void {
    this.counted.push(count)
  }

  /** Ends an interval. */
  cut(now: number): void {
    const to = now + this.skew
    this.unsent.push({ from: Math.min(this.since, to), to, counts: this.counted })
    this.since = to
    this.counted = []
  }

  /** Makes one of the last two batches that were never sent. */
  merge(): void {
    if (this.unsent.length < 2) return
    const [one, two] = this.unsent.splice(-2)
    this.unsent.push({ from: one!.from, to: two!.to, counts: [...one!.counts, ...two!.counts] })
  }

  /** Makes two of the last batch that was never sent. */
  split(): void {
    const last = this.unsent.pop()
    if (last === undefined) return
    const half = last.counts.length >> 1
    this.unsent.push({ ...last, counts: last.counts.slice(0, half) }, { ...last, counts: last.counts.slice(half) })
  }

  /** The spool's file is gone: what was not sent is lost, what is under way is not. */
  remake(): void {
    this.spool = crypto.randomUUID()
    this.nextSeq = 1
    this.unsent = []
  }

  /** Picks what is sent next: mostly the oldest that was never sent, else anything that was, acknowledged or not. */
  pick(which: number): SentBatch | undefined {
    const fresh = which % 3 === 2 ? undefined : this.unsent.shift()
    if (fresh === undefined) return this.sent[which % Math.max(1, this.sent.length)]
    const batch = { ...fresh, spool: this.spool, seq: this.nextSeq++ }
    this.sent.push(batch)
    return batch
  }

  /** Picks everything that was never sent. */
  pickAll(): ReadonlyArray<SentBatch> {
    return Array.from({ length: this.unsent.length }, () => this.pick(0)!)
  }

  acknowledge(batch: SentBatch): void {
    this.acknowledged.add(batch)
  }

  /** The lowest number the spool still holds. */
  lowest(spool: string): number {
    const held = this.sent
      .filter((batch) => batch.spool === spool && !this.acknowledged.has(batch))
      .map(({ seq }) => seq)
    const next = 1 + Math.max(0, ...this.sent.filter((batch) => batch.spool === spool).map(({ seq }) => seq))
    return Math.min(next, ...held)
  }
}
