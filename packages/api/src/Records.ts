/** What superusers watch: the pool of spares, the audit trail, the quarantine. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { AuditLog, AuditSeal, AuditTrail, Id, Instant, QuarantineStore, Usage, Wire } from "@vpnmgr/core"
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

const between = { from: Schema.optional(Instant.Instant), to: Schema.optional(Instant.Instant) }

/** What became of each sealed day, oldest first. */
export const VerificationView = Wire.struct({
  /** True when every day matches, or was let go by retention. */
  isIntact: Schema.Boolean,
  days: Schema.Array(
    Wire.struct({
      day: AuditSeal.Day,
      state: Schema.Literals(["matches", "differs", "detached", "unchained"]),
      /** Records found now. */
      recordCount: Schema.Int
    })
  )
})

const changes = {
  actor_id: Schema.optional(Id.Uuid),
  action: Schema.optional(Wire.text(100)).annotate({ description: "such as subscription.suspend" }),
  target_type: Schema.optional(Wire.text(100)),
  target_id: Schema.optional(Id.Uuid),
  ...between
}

export class Audit extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, ...changes },
      success: Page.of(AuditLog.AuditRecord),
      error: Problem.reading
    }).annotateMerge(describe("List the audit trail", "For superusers. Newest first; from ≤ timestamp < to.")),
    Export.endpoint("the audit trail", changes),
    HttpApiEndpoint.get("seals", "/seals", {
      query: { ...Page.query, ...between },
      success: Page.of(AuditSeal.AuditSeal),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List the seals of the audit trail",
        "For superusers. Newest first; from ≤ the day's beginning < to. A closed UTC day that has records is sealed: " +
          "SHA-256 over its records and the digest before it. Keep the newest digest elsewhere."
      )
    ),
    HttpApiEndpoint.get("verify", "/verify", {
      query: between,
      success: VerificationView,
      error: [...Problem.reading, Problem.Invalid]
    }).annotateMerge(
      describe(
        "Check the audit trail against its seals",
        `For superusers. Digests the sealed days that begin in from ≤ … < to again; at most ${AuditTrail.checkedDays} ` +
          "days, by default the last seven. A day differs when a record of it was changed, removed or added; it is " +
          "unchained when its seal does not follow the one before; detached, when retention let its records go."
      )
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1/audit")
  .annotateMerge(describe("Audit", "One record per change, written with it.")) {}

const entries = {
  node_id: Schema.optional(Id.Uuid),
  reason: Schema.optional(Schema.Literals(Usage.quarantineReasons)),
  state: Schema.optional(QuarantineStore.State),
  ...between
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
