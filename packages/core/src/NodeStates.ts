/** Composes what a node is told, and holds its long poll until there is something new. */
import { Context, Effect, Layer, Schema, Semaphore } from "effect"
import * as Credential from "./Credential.ts"
import type { Origin } from "./Enforcer.ts"
import { Grain } from "./Grain.ts"
import type { Inbound } from "./Inbound.ts"
import * as Instant from "./Instant.ts"
import type { Grant, NodeCredential, NodeState } from "./NodeState.ts"
import { protocolVersion } from "./NodeState.ts"
import type { RosterEntry, StateFacts } from "./NodeStateStore.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import type { Bucket } from "./Quota.ts"
import * as Quota from "./Quota.ts"
import { Shares } from "./Shares.ts"
import type { StoreError } from "./Transaction.ts"
import * as Waiters from "./internal/waiters.ts"

const finite = (instant: Instant.Instant | null): Instant.Instant | null => (instant === Instant.never ? null : instant)

const grant = (bucket: Bucket, asOf: StateFacts["asOf"]): Grant => ({
  ref: bucket.ref,
  remaining: Quota.left(bucket.maxTraffic, bucket.used),
  asOf,
  windowStart: bucket.window.start,
  windowEnd: finite(bucket.window.end),
  blockedUntil: finite(bucket.exhaustedUntil),
  isBlocked: bucket.exhaustedUntil !== null,
  maxTraffic: bucket.maxTraffic,
  anchor: bucket.anchor,
  period: bucket.period
})

const credential = (entry: RosterEntry, inbounds: ReadonlyArray<Inbound>): NodeCredential => ({
  ref: entry.ref,
  access: inbounds.map((inbound) => ({
    inbound: inbound.ref,
    access: Credential.derive(entry.secret, inbound.protocol, inbound.id)
  })),
  open: entry.subscription === null || entry.subscription.isSuspended ? [] : entry.subscription.inbounds,
  serveFrom: null,
  serveUntil: entry.subscription?.expiresAt ?? null,
  buckets:
    entry.subscription === null
      ? []
      : [entry.subscription.bucket, entry.subscription.ownerBucket].filter((ref) => ref !== null)
})

const missing = <A extends { readonly ref: number }>(changed: ReadonlyArray<number>, found: ReadonlyArray<A>) => {
  const refs = new Set(found.map((item) => item.ref))
  return changed.filter((ref) => !refs.has(ref))
}

/**
 * Composes the state of a node from its facts. For a difference, `allInbounds` are the node's inbounds, changed or
 * not, which each credential signs in at.
 */
export const compose = (facts: StateFacts, since: number | null, grain: number, now: Instant.Instant): NodeState => {
  const changed = facts.changed
  const told = changed === null ? facts.inbounds : facts.inbounds.filter(({ ref }) => changed.inbounds.includes(ref))
  return {
    protocol: protocolVersion,
    generation: facts.generation,
    revision: facts.revision,
    since: changed === null ? null : since,
    serverTime: now,
    grain,
    inbounds: told.map(({ ref, id, listen, port, isActive, trafficMultiplier, settings }) => ({
      ref,
      id,
      listen,
      port,
      isActive,
      trafficMultiplier,
      settings
    })),
    credentials: facts.credentials.map((entry) => credential(entry, facts.inbounds)),
    buckets: facts.buckets.map((bucket) => grant(bucket, facts.asOf)),
    removed:
      changed === null
        ? { inbounds: [], credentials: [], buckets: [] }
        : {
            inbounds: missing(changed.inbounds, facts.inbounds),
            credentials: missing(changed.credentials, facts.credentials),
            buckets: missing(changed.buckets, facts.buckets)
          }
  }
}

/** The token a poll was begun with was revoked meanwhile. */
export class TokenRevoked extends Schema.TaggedError<TokenRevoked>()("TokenRevoked", {}) {}

export interface Have {
  readonly generation: string
  readonly revision: number
}

export class NodeStates extends Context.Service<
  NodeStates,
  {
    /**
     * The state if it differs from what the node has: whole on another generation or from revision 0, else the
     * difference. Waits up to `wait` milliseconds for one to come; null when none came. A token that is revoked ends
     * the wait of whoever polls with it at once.
     */
    readonly poll: (
      origin: Origin,
      have: Have,
      wait: number
    ) => Effect.Effect<NodeState | null, TokenRevoked | StoreError>
  }
>()("@vpnmgr/core/NodeStates") {
  static readonly layer = Layer.effect(
    NodeStates,
    Effect.gen(function* () {
      const store = yield* NodeStateStore
      const grain = yield* Grain
      const waiters = yield* Waiters.make(store)
      const shares = yield* Shares
      const turns = {
        whole: yield* Semaphore.make(shares.states),
        difference: yield* Semaphore.make(shares.differences)
      }

      const look = Effect.fnUntraced(function* ({ nodeId, tokenId }: Origin, have: Have) {
        const head = yield* store.head(nodeId, tokenId)
        if (head.isRevoked) return yield* new TokenRevoked()
        const isSame = head.generation === have.generation
        if (isSame && head.revision === have.revision) return null
        const since = isSame && have.revision > 0 && have.revision < head.revision ? have.revision : null
        const turn = since === null ? turns.whole : turns.difference
        return compose(yield* turn.withPermit(store.load(nodeId, since)), since, grain, yield* Instant.now)
      })

      /** Enters before it looks, so that no change falls in between. */
      const poll = Effect.fn("NodeStates.poll")(function* (origin: Origin, have: Have, wait: number) {
        const end = (yield* Instant.now) + wait
        const untilChanged = (change: Effect.Effect<void>) =>
          Effect.gen(function* () {
            const state = yield* look(origin, have)
            const rest = end - (yield* Instant.now)
            if (state !== null || rest <= 0) return { state }
            return (yield* Effect.timeoutOption(change, rest))._tag === "None" ? { state } : null
          })
        for (;;) {
          const answer = yield* waiters.within({ ...origin, ...have }, untilChanged)
          if (answer !== null) return answer.state
        }
      })

      return NodeStates.of({ poll })
    })
  )
}
