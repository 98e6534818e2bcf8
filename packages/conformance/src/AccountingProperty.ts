/**
 * What accounting promises of any history: reports repeated, reordered, late, merged and split, by clocks that are
 * wrong, between changes of everything that weighs them, add up to what a naive list of facts says, to the byte.
 */
import { it } from "@effect/vitest"
import { ControlPlane, Grain } from "@vpnmgr/core"
import { Clock, Effect, Layer } from "effect"
import * as fc from "fast-check"
import { hourly, secondly } from "./accounting/Calendar.ts"
import { steps } from "./accounting/History.ts"
import { run } from "./accounting/Play.ts"
import { asSystem, beginning, make } from "./accounting/World.ts"
import type { StoresLayer } from "./Stores.ts"

export interface Options {
  /** How many histories. */
  readonly runs: number
  /** To see one history again: what a failure printed. */
  readonly seed?: number
  readonly path?: string
  /** Milliseconds for all of them. */
  readonly timeout?: number
}

/** The real clock, told another time of day. */
const told = (real: Clock.Clock, clock: { now: number }): Clock.Clock => ({
  currentTimeMillisUnsafe: () => clock.now,
  currentTimeMillis: Effect.sync(() => clock.now),
  currentTimeNanosUnsafe: () => BigInt(clock.now) * 1_000_000n,
  currentTimeNanos: Effect.sync(() => BigInt(clock.now) * 1_000_000n),
  monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
  monotonicTimeNanos: real.monotonicTimeNanos,
  sleep: (duration) => real.sleep(duration)
})

/** Runs the property on a store, hour by hour and second by second. The layer is built anew for each history. */
export const suite = (name: string, stores: StoresLayer, { runs, timeout = 120_000, ...replay }: Options): void => {
  for (const [grain, spans] of [
    [3_600_000, hourly],
    [1000, secondly]
  ] as const) {
    it(
      `adds up to the byte, whatever happens to reports and between them (${name}, grain ${grain / 1000} s)`,
      {
        timeout
      },
      async () => {
        await fc.assert(
          fc.asyncProperty(steps(grain), async (history) => {
            const clock = { now: beginning }
            const services = ControlPlane.layer.pipe(
              Layer.provideMerge(stores),
              Layer.provideMerge(Layer.succeed(Grain.Grain)(grain))
            )
            const play = Effect.gen(function* () {
              const world = yield* make(grain, spans, clock)
              yield* run(world, history)
            }).pipe(asSystem, Effect.provide(services))
            await Effect.runPromise(
              Effect.flatMap(Clock.Clock, (real) => Effect.provideService(play, Clock.Clock, told(real, clock)))
            )
          }),
          { numRuns: runs, ...replay }
        )
      }
    )
  }
}
