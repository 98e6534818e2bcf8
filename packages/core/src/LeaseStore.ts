/**
 * The port to leases: which process has a job that is to run in one place, until when by the store's own clock. A row
 * and not a session's lock, because a pooler that hands connections out per transaction has no sessions.
 */
import { Context, type Effect } from "effect"
import type { StoreError } from "./Transaction.ts"

export class LeaseStore extends Context.Service<
  LeaseStore,
  {
    /**
     * Takes a lease that is free, or extends it for its holder, for so many milliseconds from now; null while somebody
     * else holds it. Answers its term, which grows whenever the holder is another one: a holder that was asleep sees by
     * it that somebody had the lease meanwhile. An end that lies further ahead than two spans was written by a clock that
     * has gone back since, and does not count.
     */
    readonly take: (name: string, holder: string, span: number) => Effect.Effect<number | null, StoreError>
    /** Frees a lease at once, when this is its holder. */
    readonly release: (name: string, holder: string) => Effect.Effect<void, StoreError>
  }
>()("@vpnmgr/core/LeaseStore") {}
