/**
 * The port to the program that carries the packets. Two verbs: `apply` the whole wished state, `read` what it counted.
 *
 * A driver declares what it cannot do as a value (`capabilities`), so that the product never pretends.
 */
import { Context, Schema, type Effect } from "effect"
import type { CredentialRef } from "./Credential.ts"
import type { Instant } from "./Instant.ts"
import type { Serving } from "./Serving.ts"

/** Cumulative bytes of one credential at one inbound since the plane's start. */
export interface Counter {
  readonly credential: CredentialRef
  /** The inbound's `ref`. */
  readonly inbound: number
  /** Bytes from the client, as payload inside the tunnel. */
  readonly up: bigint
  /** Bytes to the client, as payload inside the tunnel. */
  readonly down: bigint
}

/** One reading. Counters of an epoch only grow; a new epoch starts from zero. */
export interface Counters {
  /** Names one run of the plane's counters. Two readings of different epochs must not be subtracted. */
  readonly epoch: string
  /** When the counters were read, by the agent's clock. */
  readonly at: Instant
  readonly counters: ReadonlyArray<Counter>
}

export interface Capabilities {
  /** The counters name the credential and the inbound. */
  readonly perUserCounters: boolean
  /** Blocking somebody also ends the connections that are open. */
  readonly cutsOpenConnections: boolean
  /** Somebody the plane already knows is blocked and let in without touching anybody else. */
  readonly liveChanges: boolean
  /** `maxSpeed` is enforced. */
  readonly speedLimits: boolean
}

/** A certificate the agent made for an inbound, PEM. */
export interface InboundCertificate {
  readonly inbound: number
  readonly pem: string
}

/** What came of an `apply`. */
export interface Applied {
  /** True when the plane had to be started again, which drops what was open. */
  readonly restarted: boolean
  /** The program and its version, such as `sing-box 1.12.12`. */
  readonly version: string
  /** Certificates in use that the agent made. */
  readonly certificates: ReadonlyArray<InboundCertificate>
}

/** The program is not there, does not answer or went away; it may come back. */
export class PlaneUnreachable extends Schema.TaggedError<PlaneUnreachable>()("PlaneUnreachable", {
  detail: Schema.String
}) {}

/** The program refuses what it was asked to serve; it goes on with what it served before. */
export class PlaneRejected extends Schema.TaggedError<PlaneRejected>()("PlaneRejected", { detail: Schema.String }) {}

/** The counters changed epoch while they were read; the reading is void, the next one will do. */
export class PlaneRestarted extends Schema.TaggedError<PlaneRestarted>()("PlaneRestarted", {}) {}

export class DataPlaneError extends Schema.TaggedError<DataPlaneError>()("DataPlaneError", {
  reason: Schema.Union([PlaneUnreachable, PlaneRejected, PlaneRestarted])
}) {}

export interface ApplyOptions {
  /**
   * Called with the last counters of a run that the driver is about to end by itself, when nothing flows any more and
   * before the process ends. The driver ends the run only after this succeeded, so no byte of a planned restart is lost.
   */
  readonly book: (last: Counters) => Effect.Effect<void, DataPlaneError>
}

export class DataPlane extends Context.Service<
  DataPlane,
  {
    readonly capabilities: Capabilities
    /**
     * Makes the node serve exactly `serving`: starts the program when it is not running, adopts it when it is, moves
     * only what differs, and starts it again only for somebody it must let pass but does not know, for a spare it does
     * not know, or for another set of inbounds. Idempotent. Whoever is absent or not open is refused, and what they
     * had open is cut, before this succeeds.
     */
    readonly apply: (serving: Serving, options: ApplyOptions) => Effect.Effect<Applied, DataPlaneError>
    /** What the plane has counted since its run began. Changes nothing, resets nothing. */
    readonly read: Effect.Effect<Counters, DataPlaneError>
  }
>()("@vpnmgr/core/DataPlane") {}
