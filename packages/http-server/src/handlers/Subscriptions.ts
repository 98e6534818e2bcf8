/** `/api/v1/subscriptions` over the core's `Subscriptions`. */
import { Api, Subscriptions as Contract, Usage } from "@vpnmgr/api"
import {
  Actor,
  ConfigDelivery,
  type Failure,
  Inbounds,
  Instant,
  SubscriptionList,
  Subscriptions,
  type Transaction,
  UsageStore
} from "@vpnmgr/core"
import { Effect, type Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Exports } from "../Exports.ts"
import * as Refusal from "../Refusal.ts"
import type { Handlers } from "./Handlers.ts"
import { present } from "./Paging.ts"
import * as SubscriptionQuery from "./SubscriptionQuery.ts"
import * as SubscriptionViews from "./SubscriptionViews.ts"
import * as UsageViews from "./UsageViews.ts"

const shown = <E extends Subscriptions.Failure | Failure.Stale, R>(
  standing: Effect.Effect<Subscriptions.Standing, E, R>
) =>
  Refusal.changing(standing).pipe(
    Effect.flatMap((found) => Effect.map(Instant.now, (now) => SubscriptionViews.whole(found, now)))
  )

export const layer: Handlers<
  "subscriptions",
  Subscriptions.Subscriptions | Inbounds.Inbounds | UsageStore.UsageStore | ConfigDelivery.ConfigDelivery | Exports
> = HttpApiBuilder.group(
  Api,
  "subscriptions",
  Effect.fn(function* (handlers) {
    const subscriptions = yield* Subscriptions.Subscriptions
    const inbounds = yield* Inbounds.Inbounds
    const usage = yield* UsageStore.UsageStore
    const exports = yield* Exports
    const configs = yield* ConfigDelivery.ConfigDelivery

    const listed = Effect.fnUntraced(function* (query: SubscriptionQuery.Query) {
      const now = yield* Instant.now
      const { items, nextCursor } = yield* SubscriptionQuery.pageOf(query, now, (filter, page) =>
        Refusal.reading(subscriptions.list(filter, page))
      )
      return { items: items.map((each) => SubscriptionViews.summary(each, now)), nextCursor }
    })

    return handlers.handleAll({
      create: Effect.fnUntraced(function* ({ payload }) {
        const actor = yield* Actor.Actor
        const own = actor.role === "operator" ? actor.id : null
        const { ownerId = own, title = null, description = null, expiresAt = null } = payload
        const { maxTraffic = null, maxSpeed = null, trafficResetPeriod = null } = payload
        const { anchor = null, inboundIds = [] } = payload
        const limits = { maxTraffic, maxSpeed, trafficResetPeriod }
        return yield* shown(
          subscriptions.create({ ownerId, title, description, expiresAt, ...limits, anchor, inboundIds })
        )
      }),
      list: ({ query }) => listed(query),
      export: Effect.fnUntraced(function* ({ query: { format, sort = "id", ...filters } }) {
        const filter = SubscriptionQuery.filterOf(filters, yield* Instant.now)
        return yield* exports.answer({
          name: "subscriptions",
          format,
          item: Contract.SubscriptionSummary,
          read: Effect.fnUntraced(function* (after: SubscriptionList.Position | null, limit) {
            const found = yield* Refusal.reading(subscriptions.list(filter, { sort, after, limit }))
            const next = found.length < limit ? null : SubscriptionList.position(sort, found.at(-1)!.subscription)
            const now = yield* Instant.now
            return { items: found.map((each) => SubscriptionViews.summary(each, now)), next }
          })
        })
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const found = yield* Refusal.reading(subscriptions.get(params.id))
        return SubscriptionViews.whole(found, yield* Instant.now)
      }),
      change: ({ params, payload }) => shown(subscriptions.change(params.id, present(payload) as Subscriptions.Patch)),
      remove: ({ params }) => Refusal.changing(subscriptions.remove(params.id)),
      suspend: ({ params }) => shown(subscriptions.suspend(params.id)),
      resume: ({ params }) => shown(subscriptions.resume(params.id)),
      reset: ({ params }) => shown(subscriptions.reset(params.id)),
      extend: ({ params, payload: { period, from = null } }) => shown(subscriptions.extend(params.id, period, from)),
      rotate: ({ params }) => shown(subscriptions.rotate(params.id)),
      setInbounds: ({ params, payload: { inboundIds } }) => shown(subscriptions.change(params.id, { inboundIds })),
      link: ({ params }) => shown(subscriptions.link(params.id, params.inbound_id)),
      unlink: ({ params }) => shown(subscriptions.unlink(params.id, params.inbound_id)),
      ofInbound: Effect.fnUntraced(function* ({ params, query }) {
        yield* Refusal.reading(inbounds.get(params.id))
        return yield* listed({ ...query, inbound_id: params.id })
      }),
      linkInbound: ({ params, payload: { link = [], unlink = [] } }) =>
        Effect.map(Refusal.changing(subscriptions.linkInbound(params.id, { link, unlink })), (made) => ({
          linked: made.link,
          unlinked: made.unlink
        })),
      usage: Effect.fnUntraced(function* ({ params: { id }, query }) {
        yield* Refusal.reading(subscriptions.get(id))
        const { from, to } = yield* UsageViews.span(query)
        const { by } = query
        const found: Effect.Effect<ReadonlyArray<UsageViews.Counted>, Transaction.StoreError> = by === undefined
          ? usage.pieces(id, from, to, Usage.mostPieces + 1)
          : usage.sums({ kind: "subscription", id }, by, from, to)
        const rows = yield* UsageViews.bounded(yield* Refusal.storing(found))
        return { from, to, items: rows.map(UsageViews.row) }
      }),
      config: Effect.fnUntraced(function* ({ params }) {
        const { subscription, verdict } = yield* Refusal.reading(subscriptions.get(params.id))
        const shown = yield* Refusal.storing(configs.show(subscription.link))
        return {
          state: verdict.state,
          config: (shown?.config ?? null) as Schema.Json,
          model: shown?.model ?? null,
          templateFailure: shown?.failure ?? null
        }
      })
    })
  })
)
