/**
 * The quarantine: entries of reports that could not be counted. A superuser looks at them, and applies an entry once or
 * dismisses it. Applying counts it as its report would have: for whoever owned the subscription at the interval's end,
 * in the window that held it then, weighed by the inbound's multiplier of then.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { Actor } from "./Actor.ts"
import type { Page } from "./AuditLog.ts"
import * as Audit from "./Audit.ts"
import type { BucketStore } from "./BucketStore.ts"
import { flip } from "./Enforcer.ts"
import { type Forbidden, Invalid, NotFound } from "./Failure.ts"
import { Grain } from "./Grain.ts"
import * as Instant from "./Instant.ts"
import { InventoryStore } from "./InventoryStore.ts"
import * as Ledger from "./Ledger.ts"
import type { NodeStateStore } from "./NodeStateStore.ts"
import type { QuarantineFilter, QuarantineRecord, Resolution, Source } from "./QuarantineStore.ts"
import { QuarantineStore } from "./QuarantineStore.ts"
import type { Bucket } from "./Quota.ts"
import { onlySuperuser } from "./Records.ts"
import { SubscriptionStore } from "./SubscriptionStore.ts"
import type { Entry } from "./TrafficReport.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"
import * as Usage from "./Usage.ts"
import { UsageStore } from "./UsageStore.ts"

/** What an entry is to be counted for, where its numbers do not say it. */
export interface Attribution {
  readonly subscriptionId?: string
  readonly inboundId?: string
}

export type Failure = NotFound | Forbidden | Invalid | StoreError
type Answer<A> = Effect.Effect<A, Failure, Actor>

type Needs =
  | Transaction
  | UsageStore
  | BucketStore
  | NodeStateStore
  | QuarantineStore
  | SubscriptionStore
  | InventoryStore
  | Audit.Needs

class Stale extends Schema.TaggedError<Stale>()("Stale", {}) {
  constructor(readonly buckets: ReadonlyArray<Pick<Bucket, "kind" | "id">>) {
    super()
  }
}

/** Why an entry still cannot be counted, and what would help. */
const inWords: Readonly<Record<Usage.QuarantineReason, { readonly field: string; readonly detail: string }>> = {
  negative: { field: "id", detail: "A negative number of bytes is never counted; dismiss it" },
  faster_than_link: { field: "id", detail: "More bytes than any link carries in that time" },
  unknown_inbound: { field: "inbound_id", detail: "The node named an inbound nobody knows: name inbound_id" },
  foreign_inbound: { field: "inbound_id", detail: "The inbound is of another node: name inbound_id, one of this node" },
  unknown_credential: {
    field: "subscription_id",
    detail: "The node named a credential nobody knows: name subscription_id"
  },
  unassigned_credential: {
    field: "subscription_id",
    detail: "Nobody has this credential: name subscription_id"
  },
  never_linked: {
    field: "subscription_id",
    detail:
      "The subscription was never linked to the inbound: name subscription_id and inbound_id to count it all the same"
  }
}

export class Quarantine extends Context.Service<
  Quarantine,
  {
    /** Newest first, by id. */
    readonly list: (filter: QuarantineFilter, page: Page) => Answer<ReadonlyArray<QuarantineRecord>>
    readonly get: (id: string) => Answer<QuarantineRecord>
    /**
     * Counts an open entry, once. What was too fast is counted as it is. `Invalid` for one that is resolved, negative,
     * or that cannot be attributed: name what its numbers do not say.
     */
    readonly apply: (id: string, attribution: Attribution) => Answer<QuarantineRecord>
    /** Says that an open entry will never be counted. */
    readonly dismiss: (id: string) => Answer<QuarantineRecord>
  }
>()("@vpnmgr/core/Quarantine") {
  static readonly layer = Layer.effect(
    Quarantine,
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const store = yield* QuarantineStore
      const usage = yield* UsageStore
      const subscriptions = yield* SubscriptionStore
      const inventory = yield* InventoryStore
      const grain = yield* Grain
      const context = yield* Effect.context<Needs>()

      const existing = Effect.fnUntraced(function* (id: string) {
        yield* onlySuperuser
        return (yield* store.get(id)) ?? (yield* new NotFound({ noun: "quarantine entry", id }))
      })

      const resolve = Effect.fnUntraced(function* (
        entry: QuarantineRecord,
        resolution: Pick<Resolution, "state" | "subscriptionId" | "inboundId">
      ) {
        const actor = yield* Actor
        const resolved = { ...resolution, resolvedAt: yield* Instant.now, resolvedBy: actor.by ?? actor.id }
        if (!(yield* store.resolve(entry.id, resolved)))
          return yield* new Invalid({ field: "id", detail: "The entry was applied or dismissed before" })
        const { state, subscriptionId, inboundId } = resolution
        yield* Audit.record({
          action: state === "applied" ? "quarantine.apply" : "quarantine.dismiss",
          targetType: "quarantine",
          targetId: entry.id,
          meta: {
            node_id: entry.nodeId,
            reason: entry.reason,
            bytes_up: String(entry.bytesUp),
            bytes_down: String(entry.bytesDown),
            ...(subscriptionId === null ? {} : { subscription_id: subscriptionId, inbound_id: inboundId })
          }
        })
        return { ...entry, ...resolved }
      })

      /** The entry with the numbers of what the caller names. */
      const attributed = Effect.fnUntraced(function* (
        { nodeId, credential, inbound, bytesUp, bytesDown }: QuarantineRecord,
        { subscriptionId, inboundId }: Attribution
      ) {
        const entry: Entry = { credential, inbound, bytesUp, bytesDown }
        if (subscriptionId === undefined && inboundId === undefined) return entry
        const subscription = subscriptionId === undefined ? undefined : yield* subscriptions.get(subscriptionId)
        if (subscription === null)
          return yield* new Invalid({ field: "subscription_id", detail: "There is no such subscription" })
        const named = inboundId === undefined ? undefined : ((yield* inventory.inbounds([inboundId]))[0] ?? null)
        if (named?.nodeId !== undefined && named.nodeId !== nodeId)
          return yield* new Invalid({ field: "inbound_id", detail: "This inbound is not of the node that reported" })
        if (named === null) return yield* new Invalid({ field: "inbound_id", detail: "There is no such inbound" })
        return { ...entry, credential: subscription?.credential ?? credential, inbound: named?.ref ?? inbound }
      })

      const count = Effect.fnUntraced(function* (
        { entry: found, source }: { readonly entry: QuarantineRecord; readonly source: Source },
        attribution: Attribution
      ) {
        const { nodeId, from, to } = found
        const entry = yield* attributed(found, attribution)
        const isNamed = attribution.subscriptionId !== undefined && attribution.inboundId !== undefined
        const facts = yield* usage.facts(nodeId, { ...source, from, to, entries: [entry] }, to)
        const settlement = Usage.settle({
          nodeId,
          entries: [entry],
          from,
          to,
          facts,
          grain,
          waived: new Set<Usage.QuarantineReason>(isNamed ? ["faster_than_link", "never_linked"] : ["faster_than_link"])
        })
        const [refused] = settlement.quarantined
        if (refused !== undefined) return yield* new Invalid(inWords[refused.reason])
        if (settlement.stale.length > 0) return yield* Effect.fail(new Stale(settlement.stale))
        const [row] = settlement.rows
        const subscriptionId = row?.subscriptionId ?? null
        const resolved = yield* resolve(found, { state: "applied", subscriptionId, inboundId: row?.inboundId ?? null })
        const key = { nodeId, ...source, digest: "", lowest: 0, receivedAt: resolved.resolvedAt }
        yield* usage.record({ key, from, to, shift: 0, settlement })
        yield* flip(nodeId, yield* usage.touched(settlement))
        return resolved
      })

      const apply = (id: string, attribution: Attribution) =>
        transaction.run(Effect.flatMap(existing(id), (found) => count(found, attribution))).pipe(
          Effect.tapErrorTag("Stale", ({ buckets }) => Ledger.turn(buckets)),
          Effect.retry({ times: 20, while: (error) => error._tag === "Stale" }),
          Effect.catchTag("Stale", Effect.die)
        )

      const dismiss = (id: string) =>
        transaction.run(
          Effect.flatMap(existing(id), ({ entry }) =>
            resolve(entry, { state: "dismissed", subscriptionId: null, inboundId: null })
          )
        )

      return Quarantine.of({
        list: Effect.fn("Quarantine.list")((filter, page) => Effect.andThen(onlySuperuser, store.list(filter, page))),
        get: Effect.fn("Quarantine.get")((id) => Effect.map(existing(id), ({ entry }) => entry)),
        apply: Effect.fn("Quarantine.apply")((id, attribution) => Effect.provide(apply(id, attribution), context)),
        dismiss: Effect.fn("Quarantine.dismiss")((id) => Effect.provide(dismiss(id), context))
      })
    })
  )
}
