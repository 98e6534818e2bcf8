/** A server that carries traffic, and the token its agent signs in with (seed vpn-manager, `Node` and `NodeToken`). */
import { Schema } from "effect"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import * as Wire from "./Wire.ts"

const Text = Wire.text(2000)

export const Node = Wire.struct({
  id: Id.Uuid,
  description: Schema.NullOr(Text),
  geo: Schema.NullOr(Text),
  purpose: Schema.NullOr(Text),
  /** What the node's link carries at most, bit/s; reports faster than that go to quarantine. `null` = 400 Gbit/s. */
  linkSpeed: Schema.NullOr(Wire.BitsPerSecond),
  createdAt: Instant,
  updatedAt: Instant
})
export type Node = typeof Node.Type

/** The bound on a node's reports when it names none, bit/s: the fastest link in common use. */
export const fastestLink = 400_000_000_000n

/** What is known of a node's agent. */
export const NodeHealth = Wire.struct({
  /** True while reports come: the last one at most 60 s ago (seed: "active if statistics are received from it"). */
  isActive: Schema.Boolean,
  lastSeenAt: Schema.NullOr(Instant),
  /** The newest revision the control plane has allotted to the node. */
  revision: Schema.Int,
  /** The newest revision the node says it serves; null before its first word. */
  servedRevision: Schema.NullOr(Schema.Int),
  /** Inbounds, credentials and buckets that changed and that the node has not said to serve; 1000 = that or more. */
  pendingChanges: Schema.Int,
  /** The version of the node protocol its agent speaks, such as `1.0`. */
  protocolVersion: Schema.NullOr(Schema.String),
  agentVersion: Schema.NullOr(Schema.String),
  /** The data plane's program and version, such as `sing-box 1.12.12`. */
  planeVersion: Schema.NullOr(Schema.String),
  /** What came of the newest revision the node spoke of, and when it said so. */
  lastOutcome: Schema.NullOr(Schema.Literals(["applied", "rejected", "failed"])),
  lastOutcomeAt: Schema.NullOr(Instant),
  /** What went wrong the last time that anything did, and when; it stays when all is well again. */
  lastError: Schema.NullOr(Schema.String),
  lastErrorAt: Schema.NullOr(Instant),
  /** Two agents report with this node's token: a cloned machine. Both are counted. */
  isCloned: Schema.Boolean
})
export type NodeHealth = typeof NodeHealth.Type

/** Pending changes are counted up to this many. */
export const mostPending = 1000

/** Which nodes to list; what is absent filters nothing. */
export interface NodeFilter {
  readonly geo?: string
  readonly purpose?: string
  /** Whether reports came within `activeFor`. */
  readonly isActive?: boolean
  /** Text anywhere in the description, whatever its case. */
  readonly search?: string
}

/** What may be changed of a node; what is absent stays. */
export type NodePatch = Partial<Pick<Node, "description" | "geo" | "purpose" | "linkSpeed">>

/** How long after its last report a node counts as active, milliseconds. */
export const activeFor = 60_000

/** The key of an agent: 32 characters, shown once, kept as SHA-256, valid until revoked. */
export const NodeToken = Wire.struct({
  id: Id.Uuid,
  nodeId: Id.Uuid,
  createdAt: Instant,
  revokedAt: Schema.NullOr(Instant)
})
export type NodeToken = typeof NodeToken.Type
