/** What superusers watch: the pool of spares, the audit trail, the quarantine. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { AuditLog, Id, Instant, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"

/** The pool of credentials the nodes already know and nobody has yet. */
export const PoolView = Wire.struct({
  spares: Schema.Int,
  /** How many a full pool holds. */
  target: Schema.Int,
  /** Credentials in use that the nodes learn at the next refill. */
  unreleased: Schema.Int,
  takenLastWeek: Schema.Int
})

export class Spares extends HttpApiGroup.make("spares")
  .add(
    HttpApiEndpoint.get("get", "/", { success: PoolView, error: Problem.Forbidden }).annotateMerge(
      describe("Get the pool of spares", "For superusers.")
    ),
    HttpApiEndpoint.post("refill", "/refill", {
      success: Wire.struct({ added: Schema.Int }),
      error: Problem.changing
    }).annotateMerge(describe("Refill the pool now", "For superusers. Every node restarts its data plane once."))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/spares")
  .annotateMerge(describe("Spares", "Credentials in stock, so that a new subscription needs no restart.")) {}

export class Audit extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: {
        ...Page.query,
        actor_id: Schema.optional(Id.Uuid),
        target_type: Schema.optional(Wire.text(100)),
        target_id: Schema.optional(Id.Uuid),
        from: Schema.optional(Instant.Instant),
        to: Schema.optional(Instant.Instant)
      },
      success: Page.of(AuditLog.AuditRecord),
      error: Problem.reading
    }).annotateMerge(describe("List the audit trail", "For superusers. Newest first; from ≤ timestamp < to."))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/audit")
  .annotateMerge(describe("Audit", "One record per change, written with it.")) {}

export const QuarantineReason = Schema.Literals([
  "negative",
  "faster_than_link",
  "unknown_inbound",
  "foreign_inbound",
  "unknown_credential",
  "unassigned_credential",
  "never_linked"
])

/** A reported entry that could not be counted, and why. */
export const QuarantineView = Wire.struct({
  id: Id.Uuid,
  nodeId: Id.Uuid,
  receivedAt: Instant.Instant,
  from: Instant.Instant,
  to: Instant.Instant,
  /** The numbers the node gave. */
  credential: Schema.Int,
  inbound: Schema.Int,
  bytesUp: Wire.SignedBytes,
  bytesDown: Wire.SignedBytes,
  reason: QuarantineReason
})

export class Quarantine extends HttpApiGroup.make("quarantine")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: Page.query,
      success: Page.of(QuarantineView),
      error: Problem.reading
    }).annotateMerge(describe("List the quarantine", "For superusers. Newest first; bytes as the node reported them."))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/quarantine")
  .annotateMerge(describe("Quarantine", "Reported traffic that was not counted, with the reason.")) {}
