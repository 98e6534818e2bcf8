/**
 * What accounting promises of any history: reports repeated, reordered, late, merged and split, by clocks that are
 * wrong, between changes of everything that weighs them, add up to what a naive list of facts says, to the byte.
 */
import { it } from "@effect/vitest"
import { ControlPlane, Grain } from "@vpnmgr/core"
import { Clock, Effect, Layer } from "effect"
import * as fc from "fast-check"
import { hourly, secondly } from "./accounting/Calendar.ts"
import type { Step } from "./accounting/History.ts"
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
  /** True to answer the first failure as it was found, without looking for a smaller one. */
  readonly endOnFailure?: boolean
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

const grains = [
  { grain: 3_600_000, spans: hourly },
  { grain: 1000, spans: secondly }
] as const

type Calendar = (typeof grains)[number]

/** Plays one history on a store that is built for it. */
const play = async (stores: StoresLayer, { grain, spans }: Calendar, history: ReadonlyArray<Step>): Promise<void> => {
  const clock = { now: beginning }
  const services = ControlPlane.layer.pipe(
    Layer.provideMerge(Layer.fresh(stores)),
    Layer.provideMerge(Layer.succeed(Grain.Grain)(grain))
  )
  const played = Effect.gen(function* () {
    const world = yield* make(grain, spans, clock)
    yield* run(world, history)
  }).pipe(asSystem, Effect.provide(services))
  await Effect.runPromise(
    Effect.flatMap(Clock.Clock, (real) => Effect.provideService(played, Clock.Clock, told(real, clock)))
  )
}

/** Looks for a history that the store counts wrongly, and throws the smallest it finds, with its seed. */
export const check = async (stores: StoresLayer, options: Omit<Options, "timeout">, calendar: Calendar = grains[0]) => {
  const { runs, ...replay } = options
  const property = fc.asyncProperty(steps(calendar.grain), (history) => play(stores, calendar, history))
  await fc.assert(property, { numRuns: runs, ...replay })
}

/** Runs the property on a store, hour by hour and second by second. The layer is built anew for each history. */
export const suite = (name: string, stores: StoresLayer, { timeout = 120_000, ...options }: Options): void => {
  for (const calendar of grains) {
    const grain = `grain ${calendar.grain / 1000} s`
    it(`adds up to the byte, whatever happens to reports and between them (${name}, ${grain})`, { timeout }, () =>
      check(stores, options, calendar)
    )
  }
}
