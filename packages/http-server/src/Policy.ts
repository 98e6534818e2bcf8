/** The bounds of everything a request may cost, and the few choices a deployer has. */
import type { Sessions } from "@vpnmgr/core"
import { Context } from "effect"

/** Requests that may come at once, and how many a second may follow. */
export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

export interface Policy {
  /** How long a request may take, milliseconds; a poll may take its wait on top. */
  readonly requestTimeout: number
  /**
   * Requests that may be answered at once, polls apart; and of these, from nobody who is signed in. Looks for a config in
   * front of the router are counted apart, as many as strangers.
   */
  readonly requests: number
  readonly strangers: number
  /** How often one person or agent may ask. */
  readonly rate: Rate
  /** Polls that may wait at once. */
  readonly polls: number
  /** The same, of one node: an agent holds one, and a few may linger whose connection was lost. */
  readonly pollsOfNode: number
  /** How long a session lasts since it was opened or renewed, and since it was opened at most, milliseconds. */
  readonly session: Sessions.Span
  /** Exports that may run at once, and of these, of one person. */
  readonly exports: number
  readonly exportsOfPerson: number
  /** How long an export may stand still, for whatever reason, before it is cut off, milliseconds. */
  readonly exportIdle: number
  /** Passwords hashed at once; each takes 19 MiB and some 30 ms. */
  readonly hashes: number
  /** Passwords hashed or waiting for it at most; whoever comes then is answered 429. */
  readonly waitingHashes: number
  /** User names whose failures are remembered. */
  readonly remembered: number
  /** How often an app should fetch its config, hours. */
  readonly updateInterval: number
  /** Where a person finds help, and the page of their subscription, as apps link to them; null = not told. */
  readonly supportUrl: string | null
  readonly profileWebPageUrl: string | null
  /** How long raw reports are kept, milliseconds. Usage stays. */
  readonly retention: number
  /** How long the access log is kept, milliseconds. */
  readonly accessRetention: number
  /** How long sealed days of the audit trail are kept, milliseconds; null = for ever. */
  readonly auditRetention: number | null
}

export const Policy = Context.Reference<Policy>("@vpnmgr/http-server/Policy", {
  defaultValue: () => ({
    requestTimeout: 30_000,
    requests: 1024,
    strangers: 256,
    rate: { burst: 2000, perSecond: 200 },
    polls: 2000,
    pollsOfNode: 8,
    session: { lifetime: 3_600_000, maximum: 7 * 86_400_000 },
    exports: 4,
    exportsOfPerson: 2,
    exportIdle: 60_000,
    hashes: 2,
    waitingHashes: 64,
    remembered: 10_000,
    updateInterval: 12,
    supportUrl: null,
    profileWebPageUrl: null,
    retention: 90 * 86_400_000,
    accessRetention: 90 * 86_400_000,
    auditRetention: null
  })
})

/** Bytes of a request's body at most; a report has its own bounds in the contract. */
export const bodySize = 1024 * 1024
