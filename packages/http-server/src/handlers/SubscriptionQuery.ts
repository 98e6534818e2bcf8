/** The query of a list of subscriptions, in the core's words. */
import type { Problem, Subscriptions as Contract } from "@vpnmgr/api"
import { type Instant, SubscriptionList, type Subscriptions } from "@vpnmgr/core"
import type { Effect } from "effect"
import { positioned, present } from "./Paging.ts"

/** What may be asked of a list, as it is decoded. */
export type Filters = { readonly [K in keyof typeof Contract.filters]?: (typeof Contract.filters)[K]["Type"] }

/** The query of a list, as it is decoded. */
export interface Query extends Filters {
  readonly sort?: SubscriptionList.Sort | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** Items, and the cursor of the page after. */
export interface Page {
  readonly items: ReadonlyArray<Subscriptions.Summary>
  readonly nextCursor: string | null
}

/** The filter that was asked for; states are those of `now`. */
export const filterOf = (query: Filters, now: Instant.Instant): SubscriptionList.Filter => {
  const { owner_id: owner, inbound_id: inboundId, node_id: nodeId, expires_before: expiresBefore, search } = query
  const ownerId = owner === "none" ? null : owner
  const state = query.state === undefined ? undefined : { is: query.state, at: now }
  return present({ ownerId, inboundId, nodeId, expiresBefore, search, state })
}

/** A page of subscriptions, from a list of the core. */
export const pageOf = <E, R>(
  { sort = "id", limit, cursor, ...filters }: Query,
  now: Instant.Instant,
  list: (
    filter: SubscriptionList.Filter,
    page: SubscriptionList.Page
  ) => Effect.Effect<ReadonlyArray<Subscriptions.Summary>, E, R>
): Effect.Effect<Page, E | Problem.Malformed, R> =>
  positioned(
    { limit, cursor },
    filters,
    { sort, of: ({ subscription }: Subscriptions.Summary) => SubscriptionList.position(sort, subscription) },
    (page) => list(filterOf(filters, now), page)
  )
