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
  agentVersion: Schema.NullOr(Schema.String),
  planeVersion: Schema.NullOr(Schema.String),
  lastError: Schema.NullOr(Schema.String),
  /** Two agents report with this node's token: a cloned machine. Both are counted. */
  isCloned: Schema.Boolean
})
export type NodeHealth = typeof NodeHealth.Type

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
