/**
 * What reports add up to: a batch becomes rows, hourly pieces and additions to the buckets' windows.
 *
 * Pure: the facts a store knows go in, what it must write comes out. Bytes stay with whoever owned the subscription at
 * the interval's end, and weigh what the inbound's multiplier was then.
 */
import type { CredentialRef } from "./Credential.ts"
import type { Instant } from "./Instant.ts"
import { fastestLink } from "./Node.ts"
import type { Bucket, Weighted } from "./Quota.ts"
import * as Quota from "./Quota.ts"
import type { Entry } from "./TrafficReport.ts"
import * as Window from "./Window.ts"

/** Values of something over time, oldest first. Each holds for intervals that end after `since`. */
export type History<A> = ReadonlyArray<{ readonly since: Instant; readonly value: A }>

/** The value that held at the end of an interval: the last one set before it; the first one for anything earlier. */
export const historyAt = <A>(history: History<A>, to: Instant): A | undefined => {
  let value = history[0]?.value
  for (const step of history) if (step.since < to) value = step.value
  return value
}

export interface InboundFacts {
  readonly id: string
  readonly nodeId: string
  readonly multipliers: History<number>
}

export interface SubscriptionFacts {
  readonly id: string
  readonly owners: History<string | null>
  /** Inbounds (ids) it is or ever was linked to. */
  readonly inboundIds: ReadonlySet<string>
  readonly bucket: Bucket
  /** Its manual resets. */
  readonly cuts: ReadonlyArray<Instant>
}

export interface OwnerFacts {
  readonly bucket: Omit<Bucket, "used">
  readonly cuts: ReadonlyArray<Instant>
}

/** What a store knows of everything a batch names. */
export interface Facts {
  /** Bit/s. */
  readonly linkSpeed: bigint | null
  readonly inbounds: ReadonlyMap<number, InboundFacts>
  /** Null for a credential nobody has, or that is erased; absent for one that never was. */
  readonly credentials: ReadonlyMap<CredentialRef, string | null>
  readonly subscriptions: ReadonlyMap<string, SubscriptionFacts>
  readonly owners: ReadonlyMap<string, OwnerFacts>
}

/** Bytes both ways, and what they weigh together. */
export interface Amount {
  readonly up: bigint
  readonly down: bigint
  readonly weighted: Weighted
}

export interface ReportRow extends Amount {
  readonly subscriptionId: string
  readonly inboundId: string
  readonly ownerId: string | null
}

export interface SubscriptionPiece extends Amount {
  readonly subscriptionId: string
  readonly inboundId: string
  /** Where the rollup piece starts. */
  readonly at: Instant
}

export interface OwnerPiece extends Amount {
  readonly ownerId: string
  readonly at: Instant
}

/** Why an entry cannot be counted. */
export const quarantineReasons = [
  "negative",
  "faster_than_link",
  "unknown_inbound",
  "foreign_inbound",
  "unknown_credential",
  "unassigned_credential",
  "never_linked"
] as const
export type QuarantineReason = (typeof quarantineReasons)[number]

export interface Quarantined {
  readonly entry: Entry
  readonly reason: QuarantineReason
}

/** What a batch changes. */
export interface Settlement {
  readonly rows: ReadonlyArray<ReportRow>
  readonly pieces: ReadonlyArray<SubscriptionPiece>
  readonly ownerPieces: ReadonlyArray<OwnerPiece>
  /** Added to the window the subscription's bucket is in. */
  readonly current: ReadonlyArray<Amount & { readonly subscriptionId: string }>
  /** Added to the window the owner's bucket is in. */
  readonly ownerCurrent: ReadonlyArray<Amount & { readonly ownerId: string; readonly windowStart: Instant }>
  readonly quarantined: ReadonlyArray<Quarantined>
  /** Buckets whose window ended before the interval did; they must turn, and the batch be settled anew. */
  readonly stale: ReadonlyArray<Pick<Bucket, "kind" | "id">>
}

export interface Settling {
  readonly nodeId: string
  readonly entries: ReadonlyArray<Entry>
  readonly from: Instant
  readonly to: Instant
  readonly facts: Facts
  /** Milliseconds. */
  readonly grain: number
  /** Reasons that a person has looked at and does not hold against the entries. Never `negative`. */
  readonly waived?: ReadonlySet<QuarantineReason>
}

/** Says why an entry cannot be counted, or which subscription and inbound it is of. */
const place = (
  entry: Entry,
  { facts, nodeId, from, to, waived }: Settling
): QuarantineReason | { readonly subscription: SubscriptionFacts; readonly inbound: InboundFacts } => {
  if (entry.bytesUp < 0n || entry.bytesDown < 0n) return "negative"
  const isTooFast = entry.bytesUp + entry.bytesDown > mostBytes(facts.linkSpeed, from, to)
  if (isTooFast && waived?.has("faster_than_link") !== true) return "faster_than_link"
  const inbound = facts.inbounds.get(entry.inbound)
  if (inbound === undefined) return "unknown_inbound"
  if (inbound.nodeId !== nodeId) return "foreign_inbound"
  const subscriptionId = facts.credentials.get(entry.credential)
  if (subscriptionId === undefined) return "unknown_credential"
  const subscription = subscriptionId === null ? undefined : facts.subscriptions.get(subscriptionId)
  if (subscription === undefined) return "unassigned_credential"
  const isLinked = subscription.inboundIds.has(inbound.id) || waived?.has("never_linked") === true
  return isLinked ? { subscription, inbound } : "never_linked"
}

/** Adds amounts up by key, keeping the first one's other fields. */
const total = <A extends Amount>(rows: ReadonlyArray<A>, key: (row: A) => string): ReadonlyArray<A> => {
  const sums = new Map<string, A>()
  for (const row of rows) {
    const sum = sums.get(key(row))
    sums.set(
      key(row),
      sum === undefined
        ? row
        : { ...sum, up: sum.up + row.up, down: sum.down + row.down, weighted: sum.weighted + row.weighted }
    )
  }
  return [...sums.values()]
}

const amount = ({ up, down, weighted }: Amount): Amount => ({ up, down, weighted })

/** What was added for each owner, as it is to be written. */
export const settleOwners = (
  perOwner: ReadonlyArray<Amount & { readonly ownerId: string }>,
  owners: Facts["owners"],
  to: Instant,
  grain: number
) => {
  const factsOf = (row: { readonly ownerId: string }) => owners.get(row.ownerId)!
  return {
    ownerPieces: perOwner.map((row) => ({
      ownerId: row.ownerId,
      at: Window.piece(to, grain, factsOf(row).cuts),
      ...amount(row)
    })),
    ownerCurrent: perOwner
      .filter((row) => Window.holds(factsOf(row).bucket.window, to))
      .map((row) => ({ ownerId: row.ownerId, windowStart: factsOf(row).bucket.window.start, ...amount(row) })),
    stale: perOwner.map((row) => factsOf(row).bucket).filter((bucket) => Quota.isStale(bucket, to))
  }
}

/** The most bytes that a link of this speed (bit/s) is believed to carry both ways in an interval. */
export const mostBytes = (linkSpeed: bigint | null, from: Instant, to: Instant): bigint =>
  ((linkSpeed ?? fastestLink) * 2n * BigInt(Math.max(1, Math.ceil((to - from) / 1000)))) / 8n

/** The buckets whose window of now a settlement adds to. */
export const addedTo = ({
  current,
  ownerCurrent
}: Pick<Settlement, "current" | "ownerCurrent">): ReadonlyArray<Pick<Bucket, "kind" | "id">> => [
  ...current.map(({ subscriptionId }) => ({ kind: "subscription" as const, id: subscriptionId })),
  ...ownerCurrent.map(({ ownerId }) => ({ kind: "owner" as const, id: ownerId }))
]

/** Settles a batch: what to write for it, given what is known. */
export const settle = (settling: Settling): Settlement => {
  const { to, facts, grain } = settling
  const quarantined: Array<Quarantined> = []
  const rows: Array<ReportRow> = []
  for (const entry of settling.entries) {
    const found = place(entry, settling)
    if (typeof found === "string") {
      quarantined.push({ entry, reason: found })
      continue
    }
    if (entry.bytesUp === 0n && entry.bytesDown === 0n) continue
    rows.push({
      subscriptionId: found.subscription.id,
      inboundId: found.inbound.id,
      ownerId: historyAt(found.subscription.owners, to) ?? null,
      up: entry.bytesUp,
      down: entry.bytesDown,
      weighted: Quota.weight(entry.bytesUp + entry.bytesDown, historyAt(found.inbound.multipliers, to) ?? 1000)
    })
  }
  const perInbound = total(rows, (row) => `${row.subscriptionId}|${row.inboundId}`)
  const perSubscription = total(perInbound, (row) => row.subscriptionId)
  const owned = perInbound.flatMap((row) => (row.ownerId === null ? [] : [{ ...row, ownerId: row.ownerId }]))
  const perOwner = total(owned, (row) => row.ownerId)
  const owners = settleOwners(perOwner, facts.owners, to, grain)
  const bucketOf = (row: { readonly subscriptionId: string }) => facts.subscriptions.get(row.subscriptionId)!
  return {
    rows: perInbound,
    quarantined,
    pieces: perInbound.map((row) => ({
      subscriptionId: row.subscriptionId,
      inboundId: row.inboundId,
      at: Window.piece(to, grain, bucketOf(row).cuts),
      ...amount(row)
    })),
    ownerPieces: owners.ownerPieces,
    current: perSubscription
      .filter((row) => Window.holds(bucketOf(row).bucket.window, to))
      .map((row) => ({ subscriptionId: row.subscriptionId, ...amount(row) })),
    ownerCurrent: owners.ownerCurrent,
    stale: [
      ...perSubscription.map((row) => bucketOf(row).bucket).filter((bucket) => Quota.isStale(bucket, to)),
      ...owners.stale
    ]
  }
}
