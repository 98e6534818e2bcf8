/** What all agents counted and what was acknowledged, to the byte, by (credential, inbound). */
import type { Account } from "./Plan.ts"

/** Bytes of one (credential, inbound). */
export interface Entry {
  readonly credential: number
  readonly inbound: number
  readonly up: number
  readonly down: number
}

type Side = "counted" | "acknowledged"

interface Sums {
  readonly counted: { up: number; down: number }
  readonly acknowledged: { up: number; down: number }
}

/** Refs are 32 bits: both fit into a number that is exact when inbounds stay below two million. */
const inbounds = 2 ** 21

/** Names an entry's account. */
export const keyOf = ({ credential, inbound }: Pick<Entry, "credential" | "inbound">): number =>
  credential * inbounds + inbound

export interface Books {
  readonly add: (side: Side, entry: Entry) => void
  readonly accounts: () => ReadonlyArray<Account>
}

/** Opens empty books. */
export const make = (): Books => {
  const accounts = new Map<number, Sums>()
  return {
    add: (side, entry) => {
      const key = keyOf(entry)
      let sums = accounts.get(key)
      if (sums === undefined) {
        sums = { counted: { up: 0, down: 0 }, acknowledged: { up: 0, down: 0 } }
        accounts.set(key, sums)
      }
      sums[side].up += entry.up
      sums[side].down += entry.down
    },
    accounts: () =>
      [...accounts].map(([key, sums]) => ({ credential: Math.floor(key / inbounds), inbound: key % inbounds, ...sums }))
  }
}
