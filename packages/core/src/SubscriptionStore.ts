/** The port to subscriptions: their rows, their links to inbounds, who owned them when. */
import { Context, type Effect } from "effect"
import type { Inbound } from "./Inbound.ts"
import type { Instant } from "./Instant.ts"
import type { Subscription } from "./Subscription.ts"
import type { Filter, Page } from "./SubscriptionList.ts"
import type { StoreError } from "./Transaction.ts"

/** All that a config needs, read at once. */
export interface ConfigFacts extends Pick<Subscription, "id" | "ownerId" | "title" | "expiresAt" | "isSuspended"> {
  /** Of the own bucket: its limit in bytes, and the end of its window. */
  readonly maxTraffic: bigint | null
  readonly windowEnd: Instant
  /** `Bucket.exhaustedUntil` of the own bucket, and of the owner's; null without an owner. */
  readonly ownExhaustedUntil: Instant | null
  readonly ownerExhaustedUntil: Instant | null
  readonly credentialSecret: Uint8Array
  /** Bytes both ways in the current window, unweighted. */
  readonly up: bigint
  readonly down: bigint
  /** Linked inbounds, active or not, by id. */
  readonly inbounds: ReadonlyArray<Inbound>
}

export class SubscriptionStore extends Context.Service<
  SubscriptionStore,
  {
    /** Stores the row, its links (since `createdAt`) and its owner (since always). `AlreadyExists` for `link`. */
    readonly insert: (subscription: Subscription) => Effect.Effect<void, StoreError>
    /** Replaces the row's own fields: not the links, not the history of owners. `AlreadyExists` for `link`. */
    readonly update: (subscription: Subscription) => Effect.Effect<void, StoreError>
    /** Null for one that is deleted or never was. */
    readonly get: (id: string) => Effect.Effect<Subscription | null, StoreError>
    /** A page of those the filter keeps, in the page's order; without the deleted. Each filter and order by index. */
    readonly list: (filter: Filter, page: Page) => Effect.Effect<ReadonlyArray<Subscription>, StoreError>
    /** Those of these that are neither deleted nor unknown, at once. */
    readonly byIds: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Subscription>, StoreError>
    /**
     * Links an inbound to some subscriptions and unlinks it from others, at once. Whoever it changes is updated `at`, or
     * a millisecond after it was.
     */
    readonly linkInbound: (
      inboundId: string,
      change: { readonly link: ReadonlyArray<string>; readonly unlink: ReadonlyArray<string> },
      at: Instant
    ) => Effect.Effect<void, StoreError>
    /** How many a user owns; without the deleted. */
    readonly countOwned: (ownerId: string) => Effect.Effect<number, StoreError>
    /** Makes `inboundIds` the linked ones; what was ever linked is remembered for late reports. */
    readonly setInbounds: (
      id: string,
      inboundIds: ReadonlyArray<string>,
      at: Instant
    ) => Effect.Effect<void, StoreError>
    /** Remembers the owner for intervals that end after `since`; `update` sets the row's own field. */
    readonly recordOwner: (id: string, ownerId: string | null, since: Instant) => Effect.Effect<void, StoreError>
    /** Leaves a tombstone: title, description and link are erased at once; late bytes still find their owner. */
    readonly delete: (id: string, at: Instant) => Effect.Effect<void, StoreError>
    /**
     * What `/s/{link}` needs of each of these links, in their order and in one statement. Null for one that is unknown,
     * rotated or deleted.
     */
    readonly forConfigs: (links: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<ConfigFacts | null>, StoreError>
  }
>()("@vpnmgr/core/SubscriptionStore") {}
