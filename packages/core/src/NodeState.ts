/**
 * Everything a node should be serving, at one revision, and what it may still do by itself.
 *
 * The agent cuts by its own clock and counters, with the server unreachable too: so the state says until when each
 * credential may be served, and how much is left in each bucket as of a batch of this node. Never in it: a
 * subscription's id, its link, a secret.
 */
import { Schema } from "effect"
import { Access } from "./Credential.ts"
import * as Id from "./Id.ts"
import { NodeInbound } from "./Inbound.ts"
import { Instant, never } from "./Instant.ts"
import type { Instant as InstantType } from "./Instant.ts"
import { Period } from "./Period.ts"
import type { Weighted } from "./Quota.ts"
import * as Quota from "./Quota.ts"
import type { ServedCredential, Serving } from "./Serving.ts"
import * as Window from "./Window.ts"
import * as Wire from "./Wire.ts"

/** What is left in a bucket, and what it will hold in its next window. */
export const Grant = Wire.struct({
  ref: Schema.Int,
  /** Weighted bytes that may still pass on this node in the window, as of `asOf`; null = unlimited. */
  remaining: Schema.NullOr(Wire.Weighted),
  /** The last batch of this node's spool that is inside `remaining`; null = none was. */
  asOf: Schema.NullOr(Wire.struct({ spool: Id.Uuid, seq: Schema.Int })),
  /** Start and end of the window `remaining` is of; null end = it never ends. */
  windowStart: Instant,
  windowEnd: Schema.NullOr(Instant),
  /** Exhausted until then; null = not. `windowEnd` null and exhausted: `isBlocked` alone says so. */
  blockedUntil: Schema.NullOr(Instant),
  isBlocked: Schema.Boolean,
  /** The limit in bytes and the calendar of the windows to come. */
  maxTraffic: Schema.NullOr(Wire.Bytes),
  anchor: Instant,
  period: Schema.NullOr(Period)
})
export type Grant = typeof Grant.Type

/** One credential: how it signs in at each inbound of the node, where it may pass, until when, weighed in which buckets. */
export const NodeCredential = Wire.struct({
  ref: Schema.Int,
  access: Schema.Array(Wire.struct({ inbound: Schema.Int, access: Access })),
  /** Inbounds (refs) it may pass. Empty for a spare and for who is suspended. */
  open: Schema.Array(Schema.Int),
  /** It may be served from then on; null = at once. */
  serveFrom: Schema.NullOr(Instant),
  /** It may be served before then; null = no end. */
  serveUntil: Schema.NullOr(Instant),
  /** The buckets (refs) it draws from; any of them exhausted blocks it. */
  buckets: Schema.Array(Schema.Int)
})
export type NodeCredential = typeof NodeCredential.Type

/** The major version of the node protocol; both sides name theirs, an unknown major is refused. */
export const protocolVersion = "1.0"

/** Whole, or what differs from revision `since`. */
export const NodeState = Wire.struct({
  protocol: Schema.String,
  /** The store's nonce: a restored store has another, and everything is sent anew. */
  generation: Schema.String,
  revision: Schema.Int,
  /** Null: whole. Else what follows replaces or removes single items of that revision. */
  since: Schema.NullOr(Schema.Int),
  serverTime: Instant,
  /** Batches are cut at whole grains, milliseconds. */
  grain: Schema.Int,
  inbounds: Schema.Array(NodeInbound),
  credentials: Schema.Array(NodeCredential),
  buckets: Schema.Array(Grant),
  /** Items (refs) that are gone; empty in a whole state. */
  removed: Wire.struct({
    inbounds: Schema.Array(Schema.Int),
    credentials: Schema.Array(Schema.Int),
    buckets: Schema.Array(Schema.Int)
  })
})
export type NodeState = typeof NodeState.Type

const replace = <A extends { readonly ref: number }>(
  old: ReadonlyArray<A>,
  changed: ReadonlyArray<A>,
  removed: ReadonlyArray<number>
): ReadonlyArray<A> => {
  const gone = new Set([...removed, ...changed.map((item) => item.ref)])
  return [...old.filter((item) => !gone.has(item.ref)), ...changed].sort((a, b) => a.ref - b.ref)
}

/** Lays a difference over the whole state it was made for. A whole state replaces everything. */
export const merge = (whole: NodeState, next: NodeState): NodeState =>
  next.since === null
    ? next
    : {
        ...next,
        since: null,
        inbounds: replace(whole.inbounds, next.inbounds, next.removed.inbounds),
        credentials: replace(whole.credentials, next.credentials, next.removed.credentials),
        buckets: replace(whole.buckets, next.buckets, next.removed.buckets),
        removed: { inbounds: [], credentials: [], buckets: [] }
      }

/** What a node counted for a bucket in intervals that end after `after`, weighted. */
export type Spent = (
  bucket: number,
  after: { readonly asOf: Grant["asOf"] } | { readonly instant: InstantType }
) => Weighted

/** Where a bucket stands by the node's own clock and counters. */
export interface Standing {
  /** Weighted; null = unlimited. */
  readonly left: Weighted | null
  /** Set when exhausted: until when (`Infinity`: until the server says otherwise). */
  readonly blockedUntil: InstantType | null
  /** When the window it stands in ends; `Infinity` = never. */
  readonly windowEnd: InstantType
}

/**
 * Weighs a grant at an instant. Inside its window: what the server granted less what was counted since. Once that
 * window has ended: the whole limit of the window of now, less what was counted in it.
 */
export const standing = (grant: Grant, spent: Spent, now: InstantType): Standing => {
  const windowEnd = grant.windowEnd ?? never
  if (now <= windowEnd) {
    const left = grant.remaining === null ? null : less(grant.remaining, spent(grant.ref, { asOf: grant.asOf }))
    return { left, blockedUntil: grant.isBlocked || left === 0n ? windowEnd : null, windowEnd }
  }
  const window = Window.at({ anchor: grant.anchor, period: grant.period, cut: null }, now)
  const left = Quota.left(grant.maxTraffic, spent(grant.ref, { instant: window.start }))
  return { left, blockedUntil: left === 0n ? window.end : null, windowEnd: window.end }
}

const less = (a: Weighted, b: Weighted): Weighted => (a > b ? a - b : 0n)

/** Which credentials of the state may pass at an instant, given where their buckets stand. */
export const serving = (
  state: Pick<NodeState, "inbounds" | "credentials">,
  standings: ReadonlyMap<number, Standing>,
  now: InstantType
): Serving => {
  const active = new Set(state.inbounds.filter((inbound) => inbound.isActive).map((inbound) => inbound.ref))
  return {
    inbounds: state.inbounds,
    credentials: state.credentials.map((credential): ServedCredential => ({
      ref: credential.ref,
      access: new Map(credential.access.map(({ inbound, access }) => [inbound, access])),
      open: new Set(isServed(credential, standings, now) ? credential.open.filter((ref) => active.has(ref)) : [])
    }))
  }
}

/** True when a credential may pass at an instant. A bucket the state does not name blocks it. */
export const isServed = (
  credential: NodeCredential,
  standings: ReadonlyMap<number, Standing>,
  now: InstantType
): boolean =>
  (credential.serveFrom === null || credential.serveFrom <= now) &&
  (credential.serveUntil === null || now < credential.serveUntil) &&
  credential.buckets.every((ref) => {
    const standing = standings.get(ref)
    return standing !== undefined && (standing.blockedUntil === null || standing.blockedUntil < now)
  })
