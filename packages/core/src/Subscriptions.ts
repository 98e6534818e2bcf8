/**
 * Everything that is done to a subscription. Each change is one transaction: the change, what follows for its buckets,
 * the marks for its nodes and the audit record.
 *
 * An operator sees and changes what it owns; what belongs to others is, to it, not found.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { SecureRandom } from "effect/crypto"
import { Actor } from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { AuditStore } from "./AuditLog.ts"
import * as Binding from "./Binding.ts"
import { BucketStore } from "./BucketStore.ts"
import type { NodeConvergence } from "./Convergence.ts"
import { CredentialStore } from "./CredentialStore.ts"
import { Forbidden, Invalid, NotFound, type Stale } from "./Failure.ts"
import * as Expiry from "./Expiry.ts"
import { Grain } from "./Grain.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"
import { InventoryStore } from "./InventoryStore.ts"
import * as Ledger from "./Ledger.ts"
import * as Limits from "./Limits.ts"
import * as Links from "./Links.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import * as Period from "./Period.ts"
import * as Precondition from "./Precondition.ts"
import type { Bucket } from "./Quota.ts"
import { Spares } from "./Spares.ts"
import { Subscription } from "./Subscription.ts"
import type { Filter, Page } from "./SubscriptionList.ts"
import { SubscriptionStore } from "./SubscriptionStore.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"
import { UserStore } from "./UserStore.ts"
import * as Verdict from "./Verdict.ts"
import { Base64Url } from "effect/encoding"

/** What is chosen when a subscription is made; `anchor` defaults to the start of the current grain. */
export type Draft = Pick<
  Subscription,
  "ownerId" | "title" | "description" | "expiresAt" | "maxTraffic" | "maxSpeed" | "trafficResetPeriod" | "inboundIds"
> & { readonly anchor: Instant.Instant | null }

/** What may be changed; what is absent stays. */
export type Patch = {
  readonly [K in keyof Draft]?:
    | NonNullable<Draft[K]>
    | (null extends Subscription[keyof Subscription & K] ? null : never)
}

/** A subscription as it stands by the clock: its verdict, what is used of what, and what holds it back. */
export interface Summary {
  readonly subscription: Subscription
  readonly verdict: Verdict.Verdict
  readonly bucket: Bucket
  /** Null without an owner. */
  readonly ownerBucket: Bucket | null
  readonly binding: Binding.Binding | null
  readonly effectiveSpeed: Binding.Speed
}

/** The same, with where its newest change stands on each node. */
export interface Standing extends Summary {
  /** What went wrong on a node is for superusers. */
  readonly convergence: ReadonlyArray<NodeConvergence>
}

export type Failure = NotFound | Forbidden | Invalid | StoreError

type Answer<A> = Effect.Effect<A, Failure, Actor>
/** A change of something that is there: it may have become another version. */
type Changed<A> = Effect.Effect<A, Failure | Stale, Actor>

/** Bytes of a link that is not the id. */
const linkLength = 24

/**
 * True when a new subscription's link is random from the start. Otherwise it is its id until it is rotated: a UUIDv7,
 * which shows when it was made.
 */
export const RandomLinks = Context.Reference<boolean>("@vpnmgr/core/RandomLinks", { defaultValue: () => false })

export class Subscriptions extends Context.Service<
  Subscriptions,
  {
    readonly create: (draft: Draft) => Answer<Standing>
    readonly get: (id: string) => Answer<Standing>
    /** Those the filter keeps, in the page's order; for an operator, of its own. */
    readonly list: (filter: Filter, page: Page) => Answer<ReadonlyArray<Summary>>
    readonly change: (id: string, patch: Patch) => Changed<Standing>
    readonly suspend: (id: string) => Changed<Standing>
    readonly resume: (id: string) => Changed<Standing>
    /** Starts usage anew at this moment. Does not touch the owner's bucket. */
    readonly reset: (id: string) => Changed<Standing>
    /** Another link and another credential: the old address answers 404 and the old config stops working. */
    readonly rotate: (id: string) => Changed<Standing>
    /** Puts its end off by a period; one that expired is served again. A perpetual one has no end to put off. */
    readonly extend: (id: string, period: Period.Period, from: Expiry.From | null) => Changed<Standing>
    /** Lets it use an inbound, too; an operator adds active ones only. As it stands when it may already. */
    readonly link: (id: string, inboundId: string) => Changed<Standing>
    /** Lets it use an inbound no more. As it stands when it may not. */
    readonly unlink: (id: string, inboundId: string) => Changed<Standing>
    /** Links an inbound to subscriptions and unlinks it from others, all or nothing; answers what was not so before. */
    readonly linkInbound: (inboundId: string, change: Links.Change) => Answer<Links.Change>
    readonly remove: (id: string) => Changed<void>
  }
>()("@vpnmgr/core/Subscriptions") {
  static readonly layer = Layer.effect(
    Subscriptions,
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const subscriptions = yield* SubscriptionStore
      const buckets = yield* BucketStore
      const credentials = yield* CredentialStore
      const inventory = yield* InventoryStore
      const users = yield* UserStore
      const nodeStates = yield* NodeStateStore
      const spares = yield* Spares
      const random = yield* SecureRandom.SecureRandom
      const grain = yield* Grain
      const randomLinks = yield* RandomLinks
      const context = yield* Effect.context<Ledgered>()

      const own = (id: string) => ({ kind: "subscription" as const, id })
      const wire = Schema.encodeUnknownSync(Subscription)

      const visible = Effect.fnUntraced(function* (id: string) {
        const actor = yield* Actor
        const found = yield* subscriptions.get(id)
        if (found === null || (actor.role !== "superuser" && found.ownerId !== actor.id))
          return yield* new NotFound({ noun: "subscription", id })
        return found
      })

      /** In two statements, however many there are. */
      const summarize = Effect.fnUntraced(function* (found: ReadonlyArray<Subscription>) {
        const ownerIds = [...new Set(found.flatMap(({ ownerId }) => ownerId ?? []))]
        const keys = [...found.map(({ id }) => own(id)), ...ownerIds.map((id) => ({ kind: "owner" as const, id }))]
        const read = yield* buckets.read(keys)
        const known = new Map(read.map((bucket) => [`${bucket.kind} ${bucket.id}`, bucket]))
        const grants = yield* ownerIds.length === 0
          ? Effect.succeed(new Map<string, ReadonlyArray<Limits.Grant>>())
          : users.grantsOf(ownerIds)
        const now = yield* Instant.now
        return found.flatMap((subscription): ReadonlyArray<Summary> => {
          const { ownerId, isSuspended, expiresAt, maxSpeed } = subscription
          const bucket = known.get(`subscription ${subscription.id}`)
          if (bucket === undefined) return []
          const ownerBucket = known.get(`owner ${ownerId}`) ?? null
          const facts = {
            isSuspended,
            expiresAt,
            ownExhaustedUntil: bucket.exhaustedUntil,
            ownerExhaustedUntil: ownerBucket?.exhaustedUntil ?? null
          }
          const allowance = Limits.aggregate(grants.get(ownerId ?? "") ?? [])
          return [
            {
              subscription,
              verdict: Verdict.at(facts, now),
              bucket,
              ownerBucket,
              binding: Binding.at(bucket, ownerBucket, now),
              effectiveSpeed: Binding.speed(maxSpeed, allowance.limits.maxSpeed)
            }
          ]
        })
      })

      const standing = Effect.fnUntraced(function* (subscription: Subscription) {
        const { role } = yield* Actor
        const [summary] = yield* summarize([subscription])
        const convergence = yield* nodeStates.convergence(subscription.id)
        const shown = convergence.map((each) => (role === "superuser" ? each : { ...each, lastError: null }))
        return { ...summary!, convergence: shown }
      })

      const check = Effect.fnUntraced(function* (draft: Partial<Draft>, before: ReadonlyArray<string> = []) {
        const actor = yield* Actor
        if (draft.ownerId !== undefined && actor.role !== "superuser" && draft.ownerId !== actor.id)
          return yield* new Forbidden({ detail: "An operator's subscriptions are its own" })
        if (draft.ownerId != null && (yield* users.keepUser(draft.ownerId)) === null)
          return yield* new Invalid({ field: "owner_id", detail: "There is no such user" })
        if (draft.trafficResetPeriod != null && !Period.isWhole(draft.trafficResetPeriod, grain))
          return yield* new Invalid({
            field: "traffic_reset_period",
            detail: `Expected a whole number of ${grain / 1000} s`
          })
        if (draft.anchor != null && draft.anchor % grain !== 0)
          return yield* new Invalid({ field: "anchor", detail: `Expected a whole number of ${grain / 1000} s` })
        if (draft.inboundIds !== undefined) yield* Links.check(draft.inboundIds, before)
      })

      const aLink = Effect.map(random.randomBytes(linkLength), Base64Url.encode)

      const create = Effect.fnUntraced(function* (draft: Draft) {
        yield* check(draft)
        const now = yield* Instant.now
        const id = yield* Id.make
        const anchor = draft.anchor ?? Math.floor(now / grain) * grain
        const inboundIds = [...new Set(draft.inboundIds)]
        const credential = yield* spares.give(id, inboundIds)
        const subscription: Subscription = {
          ...draft,
          id,
          link: randomLinks ? yield* aLink : id,
          inboundIds,
          isSuspended: false,
          anchor,
          credential,
          createdAt: now,
          updatedAt: now
        }
        yield* subscriptions.insert(subscription)
        yield* buckets.insert({
          ...own(id),
          ref: 0,
          maxTraffic: draft.maxTraffic,
          period: draft.trafficResetPeriod,
          anchor,
          cut: null,
          window: { start: 0, end: Instant.never },
          used: 0n,
          exhaustedUntil: null
        })
        yield* Ledger.change([own(id)], (bucket) => bucket)
        yield* nodeStates.markSubscriptions([id])
        yield* Audit.record({
          action: "subscription.create",
          targetType: "subscription",
          targetId: id,
          meta: Audit.difference({}, shown(subscription))
        })
        return subscription
      })

      /** The fields an audit record may show: no link. */
      const shown = (subscription: Subscription): Record<string, Schema.Json> => {
        const { link: _, ...fields } = wire(subscription) as Record<string, Schema.Json>
        return fields
      }

      /**
       * Locks the subscription's bucket, lets `next` say what it becomes, stores, marks and audits it. Null: nothing is to
       * change.
       */
      const edit = (
        action: string,
        next: (before: Subscription) => Effect.Effect<Subscription | null, Failure, Actor | Ledgered>
      ) =>
        Effect.fnUntraced(function* (id: string) {
          yield* visible(id)
          yield* buckets.lock([own(id)])
          const before = yield* visible(id)
          yield* Precondition.holds(before.updatedAt)
          const updatedAt = Precondition.next(before.updatedAt, yield* Instant.now)
          const edited = yield* next(before)
          if (edited === null) return before
          const after = { ...edited, updatedAt }
          yield* subscriptions.update(after)
          yield* nodeStates.markSubscriptions([id])
          const meta = Audit.difference(shown(before), shown(after))
          yield* Audit.record({ action: `subscription.${action}`, targetType: "subscription", targetId: id, meta })
          return after
        })

      const applyPatch = (patch: Patch) => (before: Subscription) =>
        Effect.gen(function* () {
          yield* check(patch as Partial<Draft>, before.inboundIds)
          const after: Subscription = { ...before, ...(patch as Partial<Subscription>) }
          const now = yield* Instant.now
          if (after.ownerId !== before.ownerId) yield* subscriptions.recordOwner(before.id, after.ownerId, now)
          if (patch.inboundIds !== undefined) yield* subscriptions.setInbounds(before.id, after.inboundIds, now)
          yield* Ledger.change([own(before.id)], (bucket) => ({
            ...bucket,
            maxTraffic: after.maxTraffic,
            period: after.trafficResetPeriod,
            anchor: after.anchor
          }))
          return after
        })

      const extended = (period: Period.Period, from: Expiry.From | null) =>
        Effect.fnUntraced(function* (before: Subscription) {
          if (before.expiresAt === null)
            return yield* new Invalid({ field: "period", detail: "It never expires: there is no end to put off" })
          const extending = { expiresAt: before.expiresAt, period, from, now: yield* Instant.now }
          const expiresAt = Expiry.extended(extending)
          if (expiresAt > Instant.latest)
            return yield* new Invalid({ field: "period", detail: "Expected an end before the year 10000" })
          return { ...before, expiresAt }
        })

      const relinked = (inboundId: string, isLinked: boolean) =>
        Effect.fnUntraced(function* (before: Subscription) {
          const { id } = before
          if ((yield* inventory.inbounds([inboundId])).length === 0)
            return yield* new NotFound({ noun: "inbound", id: inboundId })
          if (before.inboundIds.includes(inboundId) === isLinked) return null
          const inboundIds = isLinked
            ? [...before.inboundIds, inboundId].sort()
            : before.inboundIds.filter((each) => each !== inboundId)
          if (isLinked) yield* Links.check(inboundIds, before.inboundIds, "inbound_id")
          // Its other links are not written: an inbound that is deleted meanwhile would be linked again.
          const change = isLinked ? { link: [id], unlink: [] } : { link: [], unlink: [id] }
          yield* subscriptions.linkInbound(inboundId, change, yield* Instant.now)
          return { ...before, inboundIds }
        })

      const rotated = (before: Subscription) =>
        Effect.gen(function* () {
          const now = yield* Instant.now
          const credential = yield* spares.give(before.id, before.inboundIds)
          yield* credentials.retire(before.credential, now)
          yield* nodeStates.markCredential(before.credential, before.id)
          return { ...before, credential, link: yield* aLink }
        })

      const remove = Effect.fnUntraced(function* (id: string) {
        yield* visible(id)
        yield* buckets.lock([own(id)])
        const before = yield* visible(id)
        yield* Precondition.holds(before.updatedAt)
        const now = yield* Instant.now
        yield* nodeStates.markSubscriptions([id])
        yield* nodeStates.markCredential(before.credential, id)
        yield* credentials.retire(before.credential, now)
        yield* Ledger.change([own(id)], (bucket) => ({ ...bucket, maxTraffic: null, period: null }))
        yield* subscriptions.delete(id, now)
        yield* Audit.record({ action: "subscription.delete", targetType: "subscription", targetId: id })
      })

      const inTransaction = <A, E extends Failure | Stale>(effect: Effect.Effect<A, E, Actor | Ledgered>) =>
        transaction.run(effect).pipe(Effect.provide(context))
      /** The answer is read inside, too: when it cannot be, nothing was changed. */
      const answered = <E extends Failure | Stale>(
        effect: Effect.Effect<Subscription, E, Actor | Ledgered>
      ): Effect.Effect<Standing, Failure | E, Actor> => inTransaction(Effect.flatMap(effect, standing))

      return Subscriptions.of({
        create: Effect.fn("Subscriptions.create")((draft: Draft) => answered(create(draft))),
        get: Effect.fn("Subscriptions.get")((id: string) => Effect.flatMap(visible(id), standing)),
        list: Effect.fn("Subscriptions.list")(function* (filter: Filter, page: Page) {
          const { id, role } = yield* Actor
          const kept = role === "superuser" ? filter : { ownerId: id, ...filter }
          if (role !== "superuser" && kept.ownerId !== id) return []
          return yield* summarize(yield* subscriptions.list(kept, page))
        }),
        change: (id, patch) => answered(edit("change", applyPatch(patch))(id)),
        suspend: (id) => answered(edit("suspend", (before) => Effect.succeed({ ...before, isSuspended: true }))(id)),
        resume: (id) => answered(edit("resume", (before) => Effect.succeed({ ...before, isSuspended: false }))(id)),
        reset: (id) => answered(edit("reset", (before) => Effect.as(Ledger.reset(own(id)), before))(id)),
        rotate: (id) => answered(edit("rotate", rotated)(id)),
        extend: (id, period, from) => answered(edit("extend", extended(period, from))(id)),
        link: (id, inboundId) => answered(edit("link", relinked(inboundId, true))(id)),
        unlink: (id, inboundId) => answered(edit("unlink", relinked(inboundId, false))(id)),
        linkInbound: (inboundId, change) => inTransaction(Links.change(inboundId, change)),
        remove: (id) => inTransaction(remove(id))
      })
    })
  )
}

type Ledgered =
  | BucketStore
  | NodeStateStore
  | Transaction
  | AuditStore
  | InventoryStore
  | SubscriptionStore
  | SecureRandom.SecureRandom
