/**
 * How often somebody may ask: a token bucket for each who is signed in, person or agent. Never for a client's address,
 * which is not kept. In memory of each replica; whoever was quiet long enough to have a full bucket is forgotten.
 */
import { Problem } from "@vpnmgr/api"
import { Clock, Context, Effect, Layer } from "effect"
import { Policy, type Rate } from "./Policy.ts"

interface Bucket {
  /** Requests left, as of `at`. */
  readonly left: number
  readonly at: number
}

/** What a bucket holds at an instant (milliseconds). */
export const refilled = ({ burst, perSecond }: Rate, { left, at }: Bucket, now: number): Bucket => ({
  left: Math.min(burst, left + (Math.max(0, now - at) * perSecond) / 1000),
  at: now
})

/** Buckets after which the full ones are looked for and dropped. */
const many = 1000

export class Rates extends Context.Service<
  Rates,
  {
    /** Counts a request of somebody; refuses it when there were too many. */
    readonly count: (who: string) => Effect.Effect<void, Problem.TooMany>
  }
>()("@vpnmgr/http-server/Rates") {
  static readonly layer = Layer.effect(
    Rates,
    Effect.map(Policy, ({ rate }) => {
      const buckets = new Map<string, Bucket>()
      let sweepAt = many
      const sweep = (now: number) => {
        for (const [who, bucket] of buckets) if (refilled(rate, bucket, now).left >= rate.burst) buckets.delete(who)
        sweepAt = Math.max(many, 2 * buckets.size)
      }
      return Rates.of({
        count: Effect.fnUntraced(function* (who: string) {
          const now = yield* Clock.currentTimeMillis
          const { left } = refilled(rate, buckets.get(who) ?? { left: rate.burst, at: now }, now)
          if (left < 1) {
            const seconds = Math.ceil((1 - left) / rate.perSecond)
            return yield* new Problem.TooMany({ detail: `Try again in ${seconds} s`, retry_after: seconds })
          }
          buckets.set(who, { left: left - 1, at: now })
          if (buckets.size >= sweepAt) sweep(now)
        })
      })
    })
  )
}
