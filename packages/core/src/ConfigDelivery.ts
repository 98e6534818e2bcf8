/**
 * What `GET /s/{link}` answers, without HTTP: nothing, a refusal, or a sing-box config with what apps show beside it.
 *
 * Active: a full config. Suspended: refused. Over limit or expired: a valid stub that carries nothing and says why.
 */
import { Context, Effect, Layer, Metric } from "effect"
import * as ConfigCache from "./ConfigCache.ts"
import * as Credential from "./Credential.ts"
import * as Instant from "./Instant.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import * as Quota from "./Quota.ts"
import * as SingBoxClient from "./SingBoxClient.ts"
import type { ConfigFacts } from "./SubscriptionStore.ts"
import { SubscriptionStore } from "./SubscriptionStore.ts"
import type { StoreError } from "./Transaction.ts"
import * as Verdict from "./Verdict.ts"

/** What third-party apps show of a subscription, for the `Subscription-Userinfo` header. Bytes; the own bucket's. */
export interface UserInfo {
  readonly upload: bigint
  readonly download: bigint
  /** Null = unlimited. */
  readonly total: bigint | null
  readonly expiresAt: Instant.Instant | null
}

export type Delivery =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Suspended" }
  | {
      readonly _tag: "Config"
      /** A sing-box config, JSON. */
      readonly body: string
      readonly title: string
      readonly userInfo: UserInfo
      /** The answer is good until then at most; `Infinity` = it does not change by itself. */
      readonly goodUntil: Instant.Instant
    }

/** The title where nobody gave one. */
const untitled = "VPN"

/** Decides and renders, given the facts. */
export const deliver = (facts: ConfigFacts, now: Instant.Instant): Delivery => {
  const { subscription, bucket, ownerBucket } = facts
  const judged = {
    isSuspended: subscription.isSuspended,
    expiresAt: subscription.expiresAt,
    ownExhaustedUntil: bucket.exhaustedUntil,
    ownerExhaustedUntil: ownerBucket?.exhaustedUntil ?? null
  }
  const verdict = Verdict.at(judged, now)
  if (verdict.state === "suspended") return { _tag: "Suspended" }
  const title = subscription.title ?? untitled
  const isPast = bucket.window.end < now
  return {
    _tag: "Config",
    body: JSON.stringify(
      verdict.state === "active"
        ? SingBoxClient.render({
            title,
            entries: facts.inbounds.map((inbound) => ({
              inbound,
              access: Credential.derive(facts.credentialSecret, inbound.protocol, inbound.id)
            }))
          })
        : SingBoxClient.stub(verdict)
    ),
    title,
    userInfo: {
      upload: isPast ? 0n : facts.up,
      download: isPast ? 0n : facts.down,
      total: bucket.maxTraffic,
      expiresAt: subscription.expiresAt
    },
    goodUntil: Math.min(Verdict.nextChange(judged, now), isPast ? Instant.never : bucket.window.end)
  }
}

/** What the cache must know of an answer. */
const extent = (delivery: Delivery) =>
  delivery._tag === "Config"
    ? { size: delivery.body.length, goodUntil: delivery.goodUntil }
    : { size: 0, goodUntil: Instant.never }

const hits = Metric.counter("config_cache_hits_total", {
  description: "Configs answered without asking the store",
  incremental: true
})

export class ConfigDelivery extends Context.Service<
  ConfigDelivery,
  {
    /**
     * Looks a link up and decides. Unknown, malformed, rotated and deleted look alike. An answer may be up to a second
     * old (`ConfigCache`), and never is while the change listener is down.
     */
    readonly fetch: (link: string) => Effect.Effect<Delivery, StoreError>
  }
>()("@vpnmgr/core/ConfigDelivery") {
  static readonly layer = Layer.effect(
    ConfigDelivery,
    Effect.gen(function* () {
      const subscriptions = yield* SubscriptionStore
      const nodeStates = yield* NodeStateStore
      const cache = ConfigCache.make<Delivery>()
      yield* nodeStates.hearChanges(cache.hear)

      return ConfigDelivery.of({
        fetch: Effect.fn("ConfigDelivery.fetch")(function* (link: string) {
          const from = yield* Instant.now
          const isListening = yield* nodeStates.isListening
          if (!isListening) cache.clear()
          const kept = cache.find(link, from)
          if (kept !== undefined) return yield* Effect.as(Metric.update(hits, 1), kept)
          const asOf = cache.now()
          const facts = yield* subscriptions.forConfig(link)
          if (facts === null) return { _tag: "Unknown" } as const
          const answer = deliver(facts, yield* Instant.now)
          const { id: subscriptionId, ownerId } = facts.subscription
          if (isListening) cache.keep(link, { answer, ...extent(answer), subscriptionId, ownerId, from, asOf })
          return answer
        })
      })
    })
  )
}

/** Bytes used of the own bucket's window, rounded up, as it stands at `now`. */
export const usedBytes = (bucket: Quota.Bucket, now: Instant.Instant): bigint =>
  bucket.window.end < now ? 0n : Quota.bytes(bucket.used)
