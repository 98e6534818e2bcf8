/** What a node says it really serves. A change has converged when every node it touches said so. */
import { Schema } from "effect"
import type { Instant } from "./Instant.ts"
import * as Wire from "./Wire.ts"

/** PEM of a certificate the agent made, by the inbound's ref. */
export const ReportedCertificate = Wire.struct({
  inbound: Schema.Int,
  pem: Wire.text(16_384).pipe(
    Schema.check(
      Schema.isPattern(/^-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----\s*$/u, {
        message: "Expected one certificate in PEM"
      })
    )
  )
})

/** The agent's word on one revision. */
export const AppliedReport = Wire.struct({
  generation: Wire.text(100),
  revision: Wire.Int4,
  outcome: Schema.Literals(["applied", "rejected", "failed"]),
  /** What went wrong, for the operator; no secrets, no addresses. */
  detail: Schema.NullOr(Wire.text(2000)),
  certificates: Schema.Array(ReportedCertificate).pipe(Schema.check(Schema.isMaxLength(1000))),
  agentVersion: Wire.text(100),
  planeVersion: Schema.NullOr(Wire.text(100))
})
export type AppliedReport = typeof AppliedReport.Type

/** Applied: the node serves it. Failed: it could not apply the last state it was told of. Pending: it has not said. */
export const Progress = Schema.Literals(["applied", "pending", "failed"])
export type Progress = typeof Progress.Type

/** Where a change stands on a node that has converged or not, and said this last. */
export const progress = (converged: boolean, lastOutcome: AppliedReport["outcome"] | null): Progress =>
  converged ? "applied" : lastOutcome === null || lastOutcome === "applied" ? "pending" : "failed"

/** Where a change stands on one node. */
export interface NodeConvergence {
  readonly nodeId: string
  readonly converged: boolean
  readonly state: Progress
  /** What the node said of its failure, while it is `failed`. */
  readonly lastError: string | null
  /** When the node last sent anything; null = never. */
  readonly lastSeenAt: Instant | null
}
