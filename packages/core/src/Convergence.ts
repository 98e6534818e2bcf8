/** What a node says it really serves. A change has converged when every node it touches said so. */
import { Schema } from "effect"
import type { Instant } from "./Instant.ts"
import * as Wire from "./Wire.ts"

/** PEM of a certificate the agent made, by the inbound's ref. */
export const ReportedCertificate = Wire.struct({
  inbound: Schema.Int,
  pem: Schema.String.pipe(Schema.check(Schema.isMaxLength(16_384)))
})

/** The agent's word on one revision. */
export const AppliedReport = Wire.struct({
  generation: Schema.String,
  revision: Schema.Int,
  outcome: Schema.Literals(["applied", "rejected", "failed"]),
  /** What went wrong, for the operator; no secrets, no addresses. */
  detail: Schema.NullOr(Schema.String.pipe(Schema.check(Schema.isMaxLength(2000)))),
  certificates: Schema.Array(ReportedCertificate),
  agentVersion: Schema.String.pipe(Schema.check(Schema.isMaxLength(100))),
  planeVersion: Schema.NullOr(Schema.String.pipe(Schema.check(Schema.isMaxLength(100))))
})
export type AppliedReport = typeof AppliedReport.Type

/** Where a change stands on one node. */
export interface NodeConvergence {
  readonly nodeId: string
  readonly converged: boolean
  /** When the node last sent anything; null = never. */
  readonly lastSeenAt: Instant | null
}
