/**
 * What the accounting must say, worked out in the most naive way there is: a list of facts, summed at the end. Shares no
 * code with the product and imports nothing of it.
 */
import type { Span } from "./Calendar.ts"
import { length, windowOf } from "./Calendar.ts"

/** Bytes that were told of once: whose, through what, for an interval that ends then, in the server's time. */
export interface Fact {
  readonly subscription: string
  readonly inbound: string
  readonly up: bigint
  readonly down: bigint
  readonly to: number
}

/** A value and since when it holds: for intervals that end later. */
export interface Step<A> {
  readonly since: number
  readonly value: A
}

export interface Meter {
  limit: bigint | null
  span: Span | null
  anchor: number
  readonly resets: Array<number>
}

export interface Person extends Meter {
  groups: ReadonlyArray<string>
}

export interface Access extends Meter {
  readonly owners: Array<Step<string | null>>
  isSuspended: boolean
  expiresAt: number | null
  isDeleted: boolean
}

export interface Grants {
  limit: bigint | null
  span: Span | null
}

/** How a meter stands: what its window holds, in thousandths of bytes, and until when it is exhausted. */
export interface Reading {
  readonly used: bigint
  readonly exhaustedUntil: number | null
}

/** Bytes of one inbound in one piece of time. */
export interface Piece {
  readonly inbound: string
  readonly at: number
  readonly up: bigint
  readonly down: bigint
  readonly weighted: bigint
}

const valueAt = <A>(steps: ReadonlyArray<Step<A>>, to: number): A => {
  const held = steps.filter((step) => step.since < to)
  return (held.length > 0 ? held[held.length - 1]! : steps[0]!).value
}

const most = <A>(values: ReadonlyArray<A | null>, size: (value: A) => bigint): A | null => {
  if (values.length === 0 || values.includes(null)) return null
  return (values as ReadonlyArray<A>).reduce((best, value) => (size(value) > size(best) ? value : best))
}

export class Oracle {
  readonly facts: Array<Fact> = []
  readonly multipliers = new Map<string, Array<Step<bigint>>>()
  readonly groups = new Map<string, Grants>()
  readonly people = new Map<string, Person>()
  readonly access = new Map<string, Access>()

  constructor(readonly grain: number) {}

  /** Gives everybody what their groups grant together: the greatest, where nothing is greater than no limit. */
  grant(): void {
    for (const person of this.people.values()) {
      const grants = person.groups.map((id) => this.groups.get(id)!)
      person.limit = most(
        grants.map(({ limit }) => limit),
        (limit) => limit
      )
      person.span = most(
        grants.map(({ span }) => span),
        (span) => BigInt(length(span))
      )
    }
  }

  ownerOf(fact: Fact): string | null {
    return valueAt(this.access.get(fact.subscription)!.owners, fact.to)
  }

  weightOf(fact: Fact): bigint {
    return (fact.up + fact.down) * valueAt(this.multipliers.get(fact.inbound)!, fact.to)
  }

  window(meter: Meter, now: number): { readonly start: number; readonly end: number } {
    const whole = meter.span === null ? { start: 0, end: Infinity } : windowOf(meter.anchor, meter.span, now)
    const reset = Math.max(-Infinity, ...meter.resets)
    return reset > whole.start && reset < whole.end ? { start: reset, end: whole.end } : whole
  }

  private reading(meter: Meter, facts: ReadonlyArray<Fact>, now: number): Reading {
    const { start, end } = this.window(meter, now)
    let used = 0n
    for (const fact of facts) if (start < fact.to && fact.to <= end) used += this.weightOf(fact)
    if (meter.limit !== null && meter.limit <= 0n) return { used, exhaustedUntil: Infinity }
    const isExhausted = meter.limit !== null && used > (meter.limit - 1n) * 1000n
    return { used, exhaustedUntil: isExhausted && end > now ? end : null }
  }

  /** How a subscription's own meter stands. */
  own(id: string, now: number): Reading {
    const mine = this.facts.filter((fact) => fact.subscription === id)
    return this.reading(this.access.get(id)!, mine, now)
  }

  /** How a person's allowance stands. */
  owner(id: string, now: number): Reading {
    const mine = this.facts.filter((fact) => this.ownerOf(fact) === id)
    return this.reading(this.people.get(id)!, mine, now)
  }

  /** Whether a subscription may be served. */
  isServed(id: string, ownerId: string | null, now: number): boolean {
    const { isDeleted, isSuspended, expiresAt } = this.access.get(id)!
    if (isDeleted || isSuspended || (expiresAt !== null && expiresAt <= now)) return false
    if (this.own(id, now).exhaustedUntil !== null) return false
    return ownerId === null || this.owner(ownerId, now).exhaustedUntil === null
  }

  /** What a subscription used, by inbound and grain; a reset cuts the grain it happens in. */
  pieces(id: string): ReadonlyArray<Piece> {
    const { resets } = this.access.get(id)!
    const sums = new Map<string, Piece>()
    for (const fact of this.facts.filter((each) => each.subscription === id)) {
      const grainStart = Math.floor((fact.to - 1) / this.grain) * this.grain
      const at = Math.max(grainStart, ...resets.filter((reset) => reset < fact.to))
      const key = `${at} ${fact.inbound}`
      const sum = sums.get(key) ?? { inbound: fact.inbound, at, up: 0n, down: 0n, weighted: 0n }
      const { up, down } = fact
      sums.set(key, { ...sum, up: sum.up + up, down: sum.down + down, weighted: sum.weighted + this.weightOf(fact) })
    }
    return [...sums.values()].sort((a, b) => a.at - b.at || (a.inbound < b.inbound ? -1 : 1))
  }
}
