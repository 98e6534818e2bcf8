/**
 * How much of one kind is with the store at once. What is more waits for its turn, and not for a connection: in the one
 * queue of a pool everybody stands behind everybody, the lease of the jobs and a page of the API behind a thousand
 * reports. Together they leave two of a pool's ten connections to all else.
 *
 * Decision 38 has what it saves, and that more at once carry no more.
 */
import { Context } from "effect"

export interface Shares {
  /** Traffic reports being applied. */
  readonly reports: number
  /** Differences being read for nodes that poll. */
  readonly differences: number
  /** Whole states being read, of which one may take seconds. */
  readonly states: number
}

/** For a pool of ten connections; a host with another one says otherwise. */
export const Shares = Context.Reference<Shares>("@vpnmgr/core/Shares", {
  defaultValue: () => ({ reports: 4, differences: 3, states: 1 })
})
