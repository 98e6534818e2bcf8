/**
 * How much of one kind is with the store at once. What is more waits for its turn, and not for a connection: in the one
 * queue of a pool everybody stands behind everybody, the lease of the jobs and a page of the API behind a thousand
 * reports. Together they leave a fifth of the pool to all else.
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

/** The shares of a pool of so many connections, one of each kind at least. */
export const of = (connections: number): Shares => ({
  reports: Math.max(1, Math.floor(connections * 0.4)),
  differences: Math.max(1, Math.floor(connections * 0.3)),
  states: Math.max(1, Math.floor(connections * 0.1))
})

/** Of ten connections; a host with another pool says so. */
export const Shares = Context.Reference<Shares>("@vpnmgr/core/Shares", { defaultValue: () => of(10) })
