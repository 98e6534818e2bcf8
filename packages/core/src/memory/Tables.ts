/**
 * What the memory stores hold: immutable maps of immutable rows, so that a transaction is a shallow copy and rolling
 * back is dropping it.
 */
import { HashMap, Option } from "effect"
import type { AccessRecord } from "../AccessLog.ts"
import type { AuditRecord, Page } from "../AuditLog.ts"
import type { AuditSeal, Day } from "../AuditSeal.ts"
import * as Id from "../Id.ts"
import type { Kept } from "../IdempotencyStore.ts"
import type { Inbound } from "../Inbound.ts"
import type { Instant } from "../Instant.ts"
import type { Node, NodeToken } from "../Node.ts"
import type { QuarantineRecord, Source } from "../QuarantineStore.ts"
import type { Bucket } from "../Quota.ts"
import type { ConflictBatch, TrafficRecord } from "../RecordStore.ts"
import type { Subscription } from "../Subscription.ts"
import type { Amount, History } from "../Usage.ts"
import type { UsagePiece } from "../UsageStore.ts"
import type { Group, User } from "../User.ts"
import type { Session } from "../UserStore.ts"

/** What a node's agent last said. */
export interface NodeStatus {
  readonly reportedAt: Instant | null
  readonly seenAt: Instant | null
  readonly isCloned: boolean
  readonly servedGeneration: string | null
  readonly servedRevision: number | null
  readonly agentVersion: string | null
  readonly planeVersion: string | null
  readonly protocolVersion: string | null
  readonly lastOutcome: "applied" | "rejected" | "failed" | null
  readonly lastOutcomeAt: Instant | null
  readonly lastError: string | null
  readonly lastErrorAt: Instant | null
  readonly asOf: { readonly spool: string; readonly seq: number } | null
}

export interface SubscriptionRow {
  /** `inboundIds` are the linked ones, ascending. */
  readonly subscription: Subscription
  readonly isDeleted: boolean
  readonly owners: History<string | null>
  readonly everLinked: ReadonlySet<string>
}

export interface CredentialRow {
  readonly ref: number
  /** Null once retired. */
  readonly secret: Uint8Array | null
  readonly isReleased: boolean
  readonly subscriptionId: string | null
  readonly takenAt: Instant | null
}

export interface BucketRow {
  /** An owner's `used` is not kept here but per node. */
  readonly bucket: Bucket
  readonly up: bigint
  readonly down: bigint
  readonly cuts: ReadonlyArray<Instant>
}

/** What an owner used over one node, in the window that starts then. */
export interface OwnerUsage extends Amount {
  readonly windowStart: Instant
}

export interface OwnerPieceRow extends Amount {
  readonly nodeId: string
  readonly at: Instant
}

export interface Spool {
  readonly tokenId: string
  readonly lowest: number
  readonly lastAt: Instant
  /** Digests by seq. */
  readonly keys: HashMap.HashMap<number, string>
}

export interface TrafficRow {
  readonly record: TrafficRecord
  readonly ownerId: string | null
  readonly receivedAt: Instant
}

export interface AccessRow {
  readonly record: AccessRecord
  readonly ownerId: string | null
}

export interface QuarantineRow {
  readonly entry: QuarantineRecord
  readonly source: Source
}

/** Items of one node by `kind:ref`. */
export interface NodeItems {
  readonly revision: number
  readonly changedAt: HashMap.HashMap<string, number>
  readonly dirty: ReadonlySet<string>
}

type Rows<V> = HashMap.HashMap<string, V>

export interface Tables {
  lastNumber: number
  settings: Rows<string>
  /** By actor and key. */
  answers: Rows<Kept & { readonly at: Instant }>
  audit: Rows<AuditRecord>
  /** The days that records belong to, by record. */
  auditDays: Rows<Day>
  /** The last closed day. */
  auditClosed: Day | null
  /** By day. */
  auditSeals: Rows<AuditSeal>
  /** Without the deleted: in memory nothing refers to them but by id. */
  users: Rows<{ readonly user: User; readonly passwordHash: string }>
  usersByName: Rows<string>
  groups: Rows<Group>
  sessions: Rows<Session>
  /** Deleted ones are tombstones. */
  nodes: Rows<{ readonly node: Node; readonly isDeleted: boolean }>
  statuses: Rows<NodeStatus>
  tokens: Rows<{ readonly token: NodeToken; readonly keyHash: string }>
  /** Deleted ones are tombstones. */
  inbounds: Rows<{ readonly inbound: Inbound; readonly multipliers: History<number>; readonly isDeleted: boolean }>
  inboundsByRef: HashMap.HashMap<number, string>
  subscriptions: Rows<SubscriptionRow>
  subscriptionsByLink: Rows<string>
  credentials: HashMap.HashMap<number, CredentialRow>
  /** By `kind|id`. */
  buckets: Rows<BucketRow>
  /** By owner, then node. */
  ownerUsage: Rows<Rows<OwnerUsage>>
  /** By subscription, then inbound and instant. */
  pieces: Rows<Rows<UsagePiece>>
  /** By owner, then node and instant. */
  ownerPieces: Rows<Rows<OwnerPieceRow>>
  /** By node and spool. */
  spools: Rows<Spool>
  quarantine: Rows<QuarantineRow>
  reports: Rows<TrafficRow>
  conflicts: Rows<ConflictBatch>
  /** By subscription and inbound, then id. */
  accessLog: Rows<Rows<AccessRow>>
  nodeItems: Rows<NodeItems>
  leases: Rows<{ readonly holder: string; readonly term: number; readonly until: Instant }>
}

const none = <V>(): Rows<V> => HashMap.empty()

export const empty = (): Tables => ({
  lastNumber: 0,
  settings: none(),
  answers: none(),
  audit: none(),
  auditDays: none(),
  auditClosed: null,
  auditSeals: none(),
  users: none(),
  usersByName: none(),
  groups: none(),
  sessions: none(),
  nodes: none(),
  statuses: none(),
  tokens: none(),
  inbounds: none(),
  inboundsByRef: HashMap.empty(),
  subscriptions: none(),
  subscriptionsByLink: none(),
  credentials: HashMap.empty(),
  buckets: none(),
  ownerUsage: none(),
  pieces: none(),
  ownerPieces: none(),
  spools: none(),
  quarantine: none(),
  reports: none(),
  conflicts: none(),
  accessLog: none(),
  nodeItems: none(),
  leases: none()
})

/** The row with a key, or undefined. */
export const find = <K, V>(rows: HashMap.HashMap<K, V>, key: K): V | undefined =>
  Option.getOrUndefined(HashMap.get(rows, key))

/** The rows with these keys; unknown keys are left out. */
export const findAll = <K, V>(rows: HashMap.HashMap<K, V>, keys: Iterable<K>): ReadonlyArray<V> =>
  [...new Set(keys)].flatMap((key) => {
    const row = find(rows, key)
    return row === undefined ? [] : [row]
  })

/** An id that sorts by time, then by the order in which it was asked for. */
export const numbered = (tables: Tables, at: Instant): string => {
  const bytes = new Uint8Array(10)
  new DataView(bytes.buffer).setUint32(3, ++tables.lastNumber)
  return Id.v7(at, bytes)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Orders rows by id, ascending. */
export const byId = <A extends { readonly id: string }>(rows: Iterable<A>): ReadonlyArray<A> =>
  [...rows].sort((a, b) => compare(a.id, b.id))

/** A page of rows by id, ascending. */
export const oldest = <A extends { readonly id: string }>(
  rows: Iterable<A>,
  { after, limit }: Page
): ReadonlyArray<A> =>
  byId(rows)
    .filter((row) => after === null || row.id > after)
    .slice(0, limit)

/** A page of rows by id, descending. */
export const newest = <A extends { readonly id: string }>(
  rows: Iterable<A>,
  { after, limit }: Page
): ReadonlyArray<A> =>
  [...byId(rows)]
    .reverse()
    .filter((row) => after === null || row.id < after)
    .slice(0, limit)

/** Adds a step to a history, in place of one of the same instant, oldest first. */
export const remember = <A>(history: History<A>, since: Instant, value: A): History<A> =>
  [...history.filter((step) => step.since !== since), { since, value }].sort((a, b) => (a.since < b.since ? -1 : 1))
