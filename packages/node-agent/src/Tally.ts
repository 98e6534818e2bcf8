/**
 * What each bucket has spent on this node in intervals the server may not have weighed yet, in pieces by batch.
 *
 * Pure: the spool says what was counted, the node state says which buckets a credential draws from and how its bytes
 * weigh. `spent` answers what `NodeState.standing` asks.
 */
import { Inbound, Instant, Quota, Window, type NodeState } from "@vpnmgr/core"
import type { Amount } from "./Baseline.ts"

/** Weighted bytes of one bucket in an interval that ends at `to`, counted in batch `seq`. */
export interface Piece {
  readonly bucket: number
  readonly seq: number
  readonly to: Instant.Instant
  readonly weighted: Quota.Weighted
}

/** Bytes of one (credential, inbound) as the spool holds them. */
export interface Counted extends Amount {
  readonly seq: number
  readonly to: Instant.Instant
}

/** What of a node state it takes to weigh bytes. */
export interface Scales {
  readonly buckets: ReadonlyMap<number, ReadonlyArray<number>>
  readonly multipliers: ReadonlyMap<number, number>
  readonly grants: ReadonlyMap<number, NodeState.Grant>
}

export const scales = (state: NodeState.NodeState | null): Scales => ({
  buckets: new Map(state?.credentials.map((credential) => [credential.ref, credential.buckets])),
  multipliers: new Map(state?.inbounds.map((inbound) => [inbound.ref, inbound.trafficMultiplier])),
  grants: new Map(state?.buckets.map((grant) => [grant.ref, grant]))
})

/** Weighs counted bytes: a piece for every limited bucket the credential draws from. */
export const weigh = (of: Scales, counted: Counted): ReadonlyArray<Piece> => {
  const multiplier = of.multipliers.get(counted.inbound) ?? Inbound.plainMultiplier
  const weighted = Quota.weight(counted.up + counted.down, multiplier)
  return (of.buckets.get(counted.credential) ?? [])
    .filter((bucket) => isLimited(of.grants.get(bucket)))
    .map((bucket) => ({ bucket, seq: counted.seq, to: counted.to, weighted }))
}

const isLimited = (grant: NodeState.Grant | undefined): boolean =>
  grant !== undefined && (grant.remaining !== null || grant.maxTraffic !== null)

/** True when the piece came after what the server granted: later than `asOf`, inside or after the grant's window. */
const isAfterGrant = (grant: NodeState.Grant, piece: Piece, spool: string): boolean =>
  piece.to > grant.windowStart && (grant.asOf === null || grant.asOf.spool !== spool || piece.seq > grant.asOf.seq)

/**
 * Answers which pieces a grant of the state, or a window that turned without the server, may still ask for. Of what was
 * counted after the grant's window ended, the window of `now` and those that follow want the bytes.
 */
export const wanted = (of: Scales, spool: string, now: Instant.Instant): ((piece: Piece) => boolean) => {
  const starts = new Map<number, Instant.Instant>()
  const startOf = (grant: NodeState.Grant, end: Instant.Instant): Instant.Instant => {
    const known = starts.get(grant.ref)
    if (known !== undefined) return known
    const start = now <= end ? end : Window.at({ anchor: grant.anchor, period: grant.period, cut: null }, now).start
    starts.set(grant.ref, start)
    return start
  }
  return (piece) => {
    const grant = of.grants.get(piece.bucket)
    if (grant === undefined || !isLimited(grant)) return false
    const end = grant.windowEnd ?? Instant.never
    return piece.to <= end ? isAfterGrant(grant, piece, spool) : piece.to > startOf(grant, end)
  }
}

/** The pieces by bucket and batch. */
export type Tally = Map<number, Map<number, Piece>>

/** Adds pieces in place; those of one batch become one that ends where the latest does. */
export const add = (tally: Tally, pieces: Iterable<Piece>): void => {
  for (const piece of pieces) {
    const ofBucket = tally.get(piece.bucket) ?? new Map<number, Piece>()
    tally.set(piece.bucket, ofBucket)
    const before = ofBucket.get(piece.seq)
    const weighted = (before?.weighted ?? 0n) + piece.weighted
    ofBucket.set(piece.seq, { ...piece, weighted, to: Math.max(piece.to, before?.to ?? piece.to) })
  }
}

/** What a bucket spent after a batch, or in intervals that end after an instant. */
export const spent =
  (tally: Tally, of: Scales, spool: string): NodeState.Spent =>
  (bucket, after) => {
    const grant = of.grants.get(bucket)
    let sum = 0n
    for (const piece of tally.get(bucket)?.values() ?? []) {
      const counts =
        "instant" in after ? piece.to > after.instant : grant === undefined || isAfterGrant(grant, piece, spool)
      if (counts) sum += piece.weighted
    }
    return sum
  }
