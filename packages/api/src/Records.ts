/** What superusers watch: the pool of spares, the audit trail, the quarantine. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { AuditLog, Id, Instant, QuarantineStore, Usage, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import * as Export from "./Export.ts"
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

const changes = {
  actor_id: Schema.optional(Id.Uuid),
  action: Schema.optional(Wire.text(100)).annotate({ description: "such as subscription.suspend" }),
  target_type: Schema.optional(Wire.text(100)),
  target_id: Schema.optional(Id.Uuid),
  from: Schema.optional(Instant.Instant),
  to: Schema.optional(Instant.Instant)
}

export class Audit extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, ...changes },
      success: Page.of(AuditLog.AuditRecord),
      error: Problem.reading
    }).annotateMerge(describe("List the audit trail", "For superusers. Newest first; from ≤ timestamp < to.")),
    Export.endpoint("the audit trail", changes)
  )
  .middleware(SignedIn)
  .prefix("/api/v1/audit")
  .annotateMerge(describe("Audit", "One record per change, written with it.")) {}

const entries = {
  node_id: Schema.optional(Id.Uuid),
  reason: Schema.optional(Schema.Literals(Usage.quarantineReasons)),
  state: Schema.optional(QuarantineStore.State),
  from: Schema.optional(Instant.Instant),
  to: Schema.optional(Instant.Instant)
}

/** What an entry is to be counted for. Both named: also where the subscription was never linked to the inbound. */
export const QuarantineAttribution = Wire.struct({
  subscriptionId: Schema.optionalKey(Id.Uuid),
  /** An inbound of the node that reported. */
  inboundId: Schema.optionalKey(Id.Uuid)
})

export class Quarantine extends HttpApiGroup.make("quarantine")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, ...entries },
      success: Page.of(QuarantineStore.QuarantineRecord),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List the quarantine",
        "For superusers. Newest first; from ≤ received_at < to; bytes as the node reported them."
      )
    ),
    Export.endpoint("the quarantine", entries),
    HttpApiEndpoint.get("get", "/:id", {
      params: { id: Id.Uuid },
      success: QuarantineStore.QuarantineRecord,
      error: Problem.reading
    }).annotateMerge(describe("Get an entry of the quarantine", "For superusers. Bytes as the node reported them.")),
    HttpApiEndpoint.post("apply", "/:id/apply", {
      params: { id: Id.Uuid },
      payload: QuarantineAttribution,
      success: QuarantineStore.QuarantineRecord,
      error: Problem.changing
    }).annotateMerge(
      describe(
        "Count an entry of the quarantine",
        "For superusers, once. Its bytes count as its report would have counted them: for the owner, the window and the " +
          "multiplier of its interval. What its numbers do not say has to be named; a negative entry is never counted."
      )
    ),
    HttpApiEndpoint.post("dismiss", "/:id/dismiss", {
      params: { id: Id.Uuid },
      success: QuarantineStore.QuarantineRecord,
      error: Problem.changing
    }).annotateMerge(
      describe("Dismiss an entry of the quarantine", "For superusers, once. It is kept, and never counted.")
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1/quarantine")
  .annotateMerge(describe("Quarantine", "Reported traffic that was not counted, with the reason.")) {}
