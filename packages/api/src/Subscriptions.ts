/** Subscriptions and everything that is done to them (`/api/v1/subscriptions`). */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import {
  ConfigModel,
  Convergence,
  Expiry,
  Id,
  Instant,
  Limits,
  Links,
  Period,
  Subscription,
  SubscriptionList,
  Verdict,
  Wire
} from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import * as Export from "./Export.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"
import * as Usage from "./Usage.ts"
import * as Version from "./Version.ts"

const giver = Schema.Literals(["own", "owner"]).annotate({
  description: "own: the subscription's; owner: its owner's allowance"
})

/** A bucket that binds. */
export const BindingView = Wire.struct({
  bucket: giver,
  /** Bytes that may still be used in its window, rounded down; 0 while it is exhausted. */
  remainingBytes: Wire.Bytes,
  /** When its usage starts anew; null: not by itself. */
  freesAt: Schema.NullOr(Instant.Instant)
})

/** A speed in bit/s, null = unlimited, and whose it is. */
export const SpeedView = Wire.struct({ maxSpeed: Limits.limitFields.maxSpeed, from: Schema.NullOr(giver) })

/** A subscription as it stands, by the clock of the answer. */
const summaryFields = {
  id: Id.Uuid,
  ownerId: Schema.NullOr(Id.Uuid),
  title: Schema.NullOr(Subscription.Title),
  description: Schema.NullOr(Subscription.Description),
  /** Null = perpetual. */
  expiresAt: Schema.NullOr(Instant.Instant),
  ...Limits.limitFields,
  isSuspended: Schema.Boolean,
  isOverLimit: Schema.Boolean,
  /** The first that applies: suspended, expired, over_limit, active. */
  state: Verdict.State,
  /** When it is let in again; null with `is_over_limit`: not by itself. */
  overLimitUntil: Schema.NullOr(Instant.Instant),
  /** Bytes in the current window, rounded up. */
  usedBytes: Wire.Bytes,
  /** The bucket that holds it back: the exhausted one that holds longest, else the one with least left; null: none has a limit. */
  binding: Schema.NullOr(BindingView),
  /** What holds together: the smaller of its own speed and its owner's. */
  effectiveSpeed: SpeedView,
  /** Null: since the first byte. */
  windowStart: Schema.NullOr(Instant.Instant),
  /** Null: usage never starts anew by itself. */
  windowEnd: Schema.NullOr(Instant.Instant),
  /** What windows are counted from. */
  anchor: Instant.Instant,
  inboundIds: Schema.Array(Id.Uuid),
  /** Where its config is fetched, such as `/s/0199…`; another one after a rotation. */
  configPath: Schema.String,
  createdAt: Instant.Instant,
  updatedAt: Instant.Instant
}

export const SubscriptionSummary = Wire.struct(summaryFields)
export type SubscriptionSummary = typeof SubscriptionSummary.Type

/** Where the newest change stands on one node. */
export const ConvergenceView = Wire.struct({
  nodeId: Id.Uuid,
  converged: Schema.Boolean,
  /** applied; failed: the node could not apply the last state it was told of; pending: it has not said yet. */
  state: Convergence.Progress,
  /** What the node said of its failure, while it is failed; null for operators. */
  lastError: Schema.NullOr(Schema.String),
  lastSeenAt: Schema.NullOr(Instant.Instant)
})

export const SubscriptionView = Wire.struct({
  ...summaryFields,
  convergence: Schema.Array(ConvergenceView),
  /** The nodes that do not serve the newest change yet. */
  pendingNodeIds: Schema.Array(Id.Uuid)
})
export type SubscriptionView = typeof SubscriptionView.Type

const limits = {
  maxTraffic: Schema.optionalKey(Limits.limitFields.maxTraffic),
  maxSpeed: Schema.optionalKey(Limits.limitFields.maxSpeed),
  trafficResetPeriod: Schema.optionalKey(Limits.limitFields.trafficResetPeriod)
}

const inboundIds = Schema.Array(Id.Uuid)
  .pipe(Schema.check(Schema.isMaxLength(Links.most)))
  .annotate({ description: `at most ${Links.most}` })

const chosen = {
  ownerId: Schema.optionalKey(Schema.NullOr(Id.Uuid)),
  title: Schema.optionalKey(Schema.NullOr(Subscription.Title)),
  description: Schema.optionalKey(Schema.NullOr(Subscription.Description)),
  expiresAt: Schema.optionalKey(Schema.NullOr(Instant.Instant)),
  ...limits,
  anchor: Schema.optionalKey(Instant.Instant),
  inboundIds: Schema.optionalKey(inboundIds)
}

/** What is absent is null; an operator's subscription is its own; `anchor` is the start of the current hour. */
export const NewSubscription = Wire.struct(chosen)

/** What is absent stays; null clears. */
export const SubscriptionPatch = Wire.struct(chosen)

/** What `/s/{link}` would answer now, and what it was rendered from. */
export const ConfigView = Wire.struct({
  state: Verdict.State,
  /** The sing-box config; null while suspended. */
  config: Schema.NullOr(Schema.Json),
  /** What a template is given; null while suspended. */
  model: Schema.NullOr(ConfigModel.ConfigModel),
  /** Why the deployer's template was not used, where it failed for this subscription. */
  templateFailure: Schema.NullOr(Schema.String)
})
export type ConfigView = typeof ConfigView.Type

/** What a list of subscriptions keeps; all that is given holds. */
export const filters = {
  state: Schema.optional(Verdict.State).annotate({ description: "by the clock of the answer" }),
  owner_id: Schema.optional(Schema.Union([Id.Uuid, Schema.Literal("none")])).annotate({
    description: "an owner's; none: those without one"
  }),
  inbound_id: Schema.optional(Id.Uuid).annotate({ description: "linked to this inbound" }),
  node_id: Schema.optional(Id.Uuid).annotate({ description: "linked to an inbound of this node" }),
  expires_before: Schema.optional(Instant.Instant),
  search: Schema.optional(SubscriptionList.Search).annotate({
    description: "part of the title or the description in any case, or the beginning of the id"
  })
}

/** What a list is ordered by. */
const sort = Schema.optional(SubscriptionList.Sort).annotate({ description: "- is descending; default id" })

const listQuery = { ...filters, sort, ...Page.positionQuery }

/** How long to put the end off, and from when: by default from the end while it is ahead, else from now. */
export const Extension = Wire.struct({
  period: Period.Period,
  from: Schema.optionalKey(Expiry.From)
})

/** Subscriptions in one bulk change at most, of each kind. */
export const bulk = 1000

const some = Schema.Array(Id.Uuid)
  .pipe(Schema.check(Schema.isMaxLength(bulk)))
  .annotate({ description: `ids of subscriptions, at most ${bulk}` })

/** Subscriptions to link to an inbound, and to unlink from it. */
export const LinkChange = Wire.struct({ link: Schema.optionalKey(some), unlink: Schema.optionalKey(some) })

/** What was not so before. */
export const LinksChanged = Wire.struct({ linked: Schema.Array(Id.Uuid), unlinked: Schema.Array(Id.Uuid) })

const params = { id: Id.Uuid }
const linkParams = { id: Id.Uuid, inbound_id: Id.Uuid }
const { inbound_id: _, ...filtersOfInbound } = filters
const units =
  "max_traffic in bytes, max_speed in bit/s, traffic_reset_period as ISO 8601 duration; null = no restriction."

const act = <const Name extends string>(name: Name, summary: string, description: string) =>
  HttpApiEndpoint.post(name, `/:id/${name}`, {
    params,
    success: Version.of(SubscriptionView),
    error: Problem.editing
  }).annotateMerge(describe(summary, description))

export class Subscriptions extends HttpApiGroup.make("subscriptions")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewSubscription,
      success: Version.of(SubscriptionView.pipe(HttpApiSchema.status(201))),
      error: Problem.changing
    }).annotateMerge(
      describe(
        "Create a subscription",
        `${units} An operator's subscriptions are its own. pending_node_ids names the nodes that do not serve it yet.`
      )
    ),
    HttpApiEndpoint.get("list", "/", {
      query: listQuery,
      success: Page.positionOf(SubscriptionSummary),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List subscriptions",
        "An operator's own. A cursor goes on in the list it came from: the same filters and the same sort. One without a title comes before every title, a perpetual one after every expiry."
      )
    ),
    Export.endpoint("subscriptions", { ...filters, sort }),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: Version.of(SubscriptionView),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "Get a subscription",
        `${units} With its state, its usage in bytes, and which nodes serve its newest change.`
      )
    ),
    HttpApiEndpoint.patch("change", "/:id", {
      params,
      payload: SubscriptionPatch,
      success: Version.of(SubscriptionView),
      error: Problem.editing
    }).annotateMerge(describe("Change a subscription", `What is absent stays, null clears. ${units}`)),
    HttpApiEndpoint.delete("remove", "/:id", { params, error: Problem.editing }).annotateMerge(
      describe("Delete a subscription", "Its credential and its config stop working; its bytes stay with its owner.")
    ),
    act("suspend", "Suspend a subscription", "Every node blocks it; its config answers 403."),
    act("resume", "Resume a subscription", "It is served again unless it is expired or over its limit."),
    act("reset", "Reset a subscription's usage", "Starts its window anew at this moment. Its owner's usage stays."),
    HttpApiEndpoint.post("extend", "/:id/extend", {
      params,
      payload: Extension,
      success: Version.of(SubscriptionView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Extend a subscription",
        "Puts its end off by period, an ISO 8601 duration: counted in the UTC calendar, days clamped to the month (31 January + P1M is 28 February), from its end (expiry) or from now; by default from its end while that is ahead, else from now. One that had expired is served again. A perpetual one is 422."
      )
    ),
    act(
      "rotate",
      "Rotate a subscription's address and credential",
      "The old address answers 404 and the old config stops working."
    ),
    HttpApiEndpoint.put("setInbounds", "/:id/inbounds", {
      params,
      payload: Wire.struct({ inboundIds }),
      success: Version.of(SubscriptionView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Replace a subscription's inbounds",
        `At most ${Links.most}. An operator may keep what is linked, and add active inbounds.`
      )
    ),
    HttpApiEndpoint.put("link", "/:id/inbounds/:inbound_id", {
      params: linkParams,
      success: Version.of(SubscriptionView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Link an inbound to a subscription",
        `At most ${Links.most} are linked; an operator may add active ones. Nothing changes when it is linked already.`
      )
    ),
    HttpApiEndpoint.delete("unlink", "/:id/inbounds/:inbound_id", {
      params: linkParams,
      success: Version.of(SubscriptionView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Unlink an inbound from a subscription",
        "Its node blocks it there. Nothing changes when it is not linked."
      )
    ),
    HttpApiEndpoint.get("usage", "/:id/usage", {
      params,
      query: Usage.query,
      success: Usage.UsageView,
      error: [...Problem.reading, Problem.Invalid]
    }).annotateMerge(
      describe(
        "Get a subscription's usage",
        `By hour, day (UTC), inbound or node; without by, in pieces by inbound: hours, and the parts of one before and after a reset, at most ${Usage.mostPieces} (else 422). ${Usage.bounds}`
      )
    ),
    HttpApiEndpoint.get("config", "/:id/config", { params, success: ConfigView, error: Problem.reading }).annotateMerge(
      describe(
        "Get a subscription's config",
        "What its address would answer now, not from the cache, and the model it was rendered from. Keep it: it signs in."
      )
    )
  )
  .prefix("/api/v1/subscriptions")
  .add(
    HttpApiEndpoint.get("ofInbound", "/api/v1/inbounds/:id/subscriptions", {
      params,
      query: { ...filtersOfInbound, sort, ...Page.positionQuery },
      success: Page.positionOf(SubscriptionSummary),
      error: Problem.reading
    }).annotateMerge(
      describe("List an inbound's subscriptions", "As the list of subscriptions with inbound_id; an operator's own.")
    ),
    HttpApiEndpoint.post("linkInbound", "/api/v1/inbounds/:id/subscriptions", {
      params,
      payload: LinkChange,
      success: LinksChanged,
      error: Problem.changing
    }).annotateMerge(
      describe(
        "Link an inbound to subscriptions",
        `Links and unlinks up to ${bulk} each, all or nothing; answers those that changed. One that the actor does not know is 404. An operator may link active inbounds.`
      )
    )
  )
  .middleware(SignedIn)
  .annotateMerge(
    describe("Subscriptions", "One end-user's access each. To an operator, what belongs to others is not found.")
  ) {}
