/**
 * What of a cumulative reading has been booked already: the last counters seen of one run of the plane.
 *
 * A plain rule on plain values. A counter that went backwards within one run is a defect of the plane: it is named,
 * taken as the new baseline, and never makes negative bytes.
 */
import type { DataPlane } from "@vpnmgr/core"
import { broken } from "./internal/faultPoint.ts"

/** Bytes of one (credential, inbound), up and down. */
export interface Amount {
  readonly credential: number
  readonly inbound: number
  readonly up: bigint
  readonly down: bigint
}

/** The booked counters of one epoch, by `key`. `epoch` null: nothing was ever read. */
export interface Baseline {
  readonly epoch: string | null
  readonly counters: ReadonlyMap<string, Amount>
}

export interface Advance {
  /** True when the reading is of another run than the baseline. */
  readonly isNewEpoch: boolean
  /** What was counted since the baseline: only positive amounts. */
  readonly entries: ReadonlyArray<Amount>
  /** The counters that differ from the baseline. */
  readonly changed: ReadonlyArray<Amount>
  /** The counters that went backwards. */
  readonly backwards: ReadonlyArray<Amount>
}

/** Names a (credential, inbound) in a map. */
export const key = (of: { readonly credential: number; readonly inbound: number }): string =>
  `${of.credential}/${of.inbound}`

const zero = { up: 0n, down: 0n }

const since = (now: bigint, before: bigint): bigint => (now > before ? now - before : 0n)

/** Subtracts the baseline from a reading; a new epoch is subtracted from zero. */
export const advance = (baseline: Baseline, reading: DataPlane.Counters): Advance => {
  const isNewEpoch = reading.epoch !== baseline.epoch && !broken("epoch")
  const entries: Array<Amount> = []
  const changed: Array<Amount> = []
  const backwards: Array<Amount> = []
  for (const counter of reading.counters) {
    const { credential, inbound, up, down } = counter
    const before = isNewEpoch ? zero : (baseline.counters.get(key(counter)) ?? zero)
    if (up === before.up && down === before.down && !isNewEpoch) continue
    changed.push({ credential, inbound, up, down })
    if (up < before.up || down < before.down) backwards.push({ credential, inbound, up, down })
    const more = { credential, inbound, up: since(up, before.up), down: since(down, before.down) }
    if (more.up > 0n || more.down > 0n) entries.push(more)
  }
  return { isNewEpoch, entries, changed, backwards }
}
