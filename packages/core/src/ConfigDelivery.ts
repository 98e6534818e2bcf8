/**
 * What `GET /s/{link}` answers, without HTTP: nothing, a refusal, or a sing-box config with what apps show beside it.
 *
 * Active: a full config. Suspended: refused. Over limit or expired: a valid stub that carries nothing and says why.
 */
import { Clock, Context, Effect, type Exit, Layer, Metric } from "effect"
import * as ConfigCache from "./ConfigCache.ts"
import * as ConfigModel from "./ConfigModel.ts"
import * as ConfigTemplate from "./ConfigTemplate.ts"
import * as Credential from "./Credential.ts"
import * as Instant from "./Instant.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import * as Quota from "./Quota.ts"
import * as SingBoxClient from "./SingBoxClient.ts"
import type { SingBoxConfig } from "./SingBoxConfig.ts"
import type { ConfigFacts } from "./SubscriptionStore.ts"
import { SubscriptionStore } from "./SubscriptionStore.ts"
import { StoreError, StoreUnavailable } from "./Transaction.ts"
import * as Verdict from "./Verdict.ts"
import * as Gather from "./internal/gather.ts"

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

/** What is said of a subscription that is not suspended, before it is rendered. */
interface Decided extends Omit<Extract<Delivery, { readonly _tag: "Config" }>, "_tag" | "body"> {
  readonly model: ConfigModel.ConfigModel
}

/** Decides, given the facts; null for who is suspended. */
const decide = (facts: ConfigFacts, now: Instant.Instant): Decided | null => {
  const { expiresAt, maxTraffic, title, windowEnd } = facts
  const verdict = Verdict.at(facts, now)
  if (verdict.state === "suspended") return null
  const isPast = windowEnd < now
  const accessAt = Credential.accessOf(facts.credentialSecret)
  const entries =
    verdict.state === "active"
      ? facts.inbounds.map((inbound) => ({ inbound, access: accessAt(inbound.protocol, inbound.id) }))
      : []
  const model = ConfigModel.of({ title, expiresAt, verdict, entries })
  return {
    model,
    title: model.title,
    userInfo: { upload: isPast ? 0n : facts.up, download: isPast ? 0n : facts.down, total: maxTraffic, expiresAt },
    goodUntil: Math.min(Verdict.nextChange(facts, now), isPast ? Instant.never : windowEnd)
  }
}

const failures = Metric.counter("config_template_failures_total", {
  description: "Configs rendered without the template, because it failed for them",
  incremental: true
})

/** Names a subscription in a log: enough of its id to find it, too little to fetch its config, for an id may be a link. */
const named = (id: string): string => `${id.slice(0, 18)}-…`

/** What a model is rendered as; `failure` says why the template was not used where it failed. */
interface Rendered {
  readonly config: SingBoxConfig
  readonly failure: string | null
}

const typed = (model: ConfigModel.ConfigModel, failure: string | null): Rendered => ({
  config: SingBoxClient.render(model),
  failure
})

const rendering =
  (template: ConfigTemplate.Template | null) =>
  (model: ConfigModel.ConfigModel): Effect.Effect<Rendered> =>
    template === null
      ? Effect.succeed(typed(model, null))
      : ConfigTemplate.render(template, model).pipe(
          Effect.map((config): Rendered => ({ config, failure: null })),
          Effect.catchTag("TemplateFailure", ({ detail }) => Effect.succeed(typed(model, detail)))
        )

/** What the cache must know of an answer. */
const extent = (delivery: Delivery) =>
  delivery._tag === "Config"
    ? { size: delivery.body.length, goodUntil: delivery.goodUntil }
    : { size: 0, goodUntil: Instant.never }

const hits = Metric.counter("config_cache_hits_total", {
  description: "Configs answered without asking the store",
  incremental: true
})

/**
 * How the store is asked: few statements under way and few links in each, so that it looks the next ones up while these
 * are rendered (decision 37 has what other numbers cost); and how long one may take, so that a store that does not answer
 * holds up nobody for ever.
 */
const crowd = { together: 4, most: 16 }
const patience = "10 seconds"
const tooSlow = new StoreError({ reason: new StoreUnavailable({ detail: "the store took too long to look links up" }) })

const unknown: Delivery = { _tag: "Unknown" }
const suspended: Delivery = { _tag: "Suspended" }

/** A config as it stands, with the model it was rendered from. */
export interface Shown extends Rendered {
  readonly model: ConfigModel.ConfigModel
}

export class ConfigDelivery extends Context.Service<
  ConfigDelivery,
  {
    /**
     * Looks a link up and decides. Unknown, malformed, rotated and deleted look alike. An answer may be up to a second
     * old (`ConfigCache`), and never is while the change listener is down.
     */
    readonly fetch: (link: string) => Effect.Effect<Delivery, StoreError>
    /** The two halves of `fetch` without a fiber, for a route in a hurry: what is kept, if anything is; and a look. */
    readonly kept: (link: string) => Delivery | undefined
    readonly look: (link: string, answer: (exit: Exit.Exit<Delivery, StoreError>) => void) => void
    /** What a link is answered now and what it was rendered from, for whoever looks after it; null unless 200. */
    readonly show: (link: string) => Effect.Effect<Shown | null, StoreError>
  }
>()("@vpnmgr/core/ConfigDelivery") {
  static readonly layer = Layer.effect(
    ConfigDelivery,
    Effect.gen(function* () {
      const subscriptions = yield* SubscriptionStore
      const nodeStates = yield* NodeStateStore
      const clock = yield* Clock.Clock
      const context = yield* Effect.context()
      const cache = ConfigCache.make<Delivery>()
      const render = rendering(yield* ConfigTemplate.ConfigTemplate)
      yield* nodeStates.hearChanges(cache.hear)

      const answered = Effect.fnUntraced(function* (facts: ConfigFacts, now: Instant.Instant) {
        const decided = decide(facts, now)
        if (decided === null) return suspended
        const { model, ...rest } = decided
        const { config, failure } = yield* render(model)
        if (failure !== null) {
          yield* Metric.update(failures, 1)
          const subscription = named(facts.id)
          yield* Effect.logWarning("the template failed; the built-in config was served", { subscription, failure })
        }
        return { _tag: "Config", body: JSON.stringify(config), ...rest } satisfies Delivery
      })

      /** An answer is as old as the moment its facts were asked for. */
      const answersOf = Effect.fnUntraced(function* (links: ReadonlyArray<string>) {
        const [from, asOf, isListening] = [clock.currentTimeMillisUnsafe(), cache.now(), nodeStates.isListening()]
        const found = yield* subscriptions.forConfigs(links)
        const now = clock.currentTimeMillisUnsafe()
        const answers: Array<Delivery> = []
        for (const [index, facts] of found.entries()) {
          const answer = facts === null ? unknown : yield* answered(facts, now)
          answers.push(answer)
          if (facts === null || !isListening) continue
          const { id: subscriptionId, ownerId } = facts
          cache.keep(links[index]!, { answer, ...extent(answer), subscriptionId, ownerId, from, asOf })
        }
        return answers
      })

      const look = yield* Gather.make(
        (links: ReadonlyArray<string>) =>
          answersOf(links).pipe(
            Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(tooSlow) }),
            Effect.withTracerEnabled(false)
          ),
        crowd
      )

      const kept = (link: string) => {
        if (!nodeStates.isListening()) return void cache.clear()
        const found = cache.find(link, clock.currentTimeMillisUnsafe())
        if (found !== undefined) hits.updateUnsafe(1, context)
        return found
      }

      return ConfigDelivery.of({
        kept,
        look,
        fetch: (link) =>
          Effect.suspend(() => {
            const found = kept(link)
            return found !== undefined
              ? Effect.succeed(found)
              : Effect.callback<Delivery, StoreError>((resume) => look(link, resume))
          }),
        show: Effect.fn("ConfigDelivery.show")(function* (link: string) {
          const [facts] = yield* subscriptions.forConfigs([link])
          const decided = facts == null ? null : decide(facts, yield* Instant.now)
          return decided === null ? null : { model: decided.model, ...(yield* render(decided.model)) }
        })
      })
    })
  )
}

/** Bytes used of the own bucket's window, rounded up, as it stands at `now`. */
export const usedBytes = (bucket: Quota.Bucket, now: Instant.Instant): bigint =>
  bucket.window.end < now ? 0n : Quota.bytes(bucket.used)
