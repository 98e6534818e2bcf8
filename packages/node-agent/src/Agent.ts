/**
 * The whole agent: counts, keeps, reports, enforces, follows. Stopping it leaves the plane running; whoever starts the
 * next one on the same directory goes on where this one stopped.
 */
import { Effect, Layer } from "effect"
import type { DataPlane } from "@vpnmgr/core"
import type { ControlPlane } from "./ControlPlane.ts"
import * as Enforcement from "./Enforcement.ts"
import * as Meter from "./Meter.ts"
import * as Reconciler from "./Reconciler.ts"
import * as Reporter from "./Reporter.ts"
import * as Spool from "./Spool.ts"

export interface AgentOptions
  extends Spool.SpoolOptions, Meter.MeterOptions, Reporter.ReporterOptions, Reconciler.ReconcilerOptions {}

/** How long a stop waits for one last report, milliseconds. */
const farewell = 2000

/** How long a node that has no state waits for one before it tells the plane to serve nothing, milliseconds. */
const patience = 10_000

/** The agent's parts but its spool. */
export type Parts = Meter.Meter | Reporter.Reporter | Enforcement.Enforcement | Reconciler.Reconciler

/** The agent's parts over a data plane, a control plane and a spool of the host's own. */
export const layerOver = (
  options: Omit<AgentOptions, keyof Spool.SpoolOptions>
): Layer.Layer<Parts | Spool.Spool, Spool.SpoolError, DataPlane.DataPlane | ControlPlane | Spool.Spool> =>
  Reconciler.layer(options).pipe(
    Layer.provideMerge(Enforcement.layer),
    Layer.provideMerge(Layer.mergeAll(Meter.layer(options), Reporter.layer(options))),
    Layer.provideMerge(Layer.effect(Spool.Spool, Spool.Spool))
  )

/** The agent's parts over a data plane and a control plane, with a spool in `directory`. */
export const layer = (
  options: AgentOptions
): Layer.Layer<Parts | Spool.Spool, Spool.SpoolError, DataPlane.DataPlane | ControlPlane> =>
  layerOver(options).pipe(Layer.provide(Spool.layer(options)))

/** Books what was counted since the last reading and tries once to report it. */
const leave = Effect.gen(function* () {
  const meter = yield* Meter.Meter
  const reporter = yield* Reporter.Reporter
  yield* meter.read().pipe(
    Effect.timeoutOption(farewell),
    Effect.catch((error) =>
      Effect.logWarning("no last reading: the next agent takes it", { reason: error.reason._tag })
    )
  )
  yield* reporter.flush.pipe(
    Effect.timeoutOption(farewell),
    Effect.catch(() => Effect.void)
  )
  yield* Effect.logInfo("the agent stops; the plane goes on")
})

/**
 * Runs until it is interrupted: serves the kept state at once, with or without a server, then follows it. An interrupt
 * stops it gracefully.
 */
export const run: Effect.Effect<never, Spool.SpoolError, Parts | Spool.Spool> = Effect.gen(function* () {
  const spool = yield* Spool.Spool
  const enforcement = yield* Enforcement.Enforcement
  const reconciler = yield* Reconciler.Reconciler
  const reporter = yield* Reporter.Reporter
  yield* Effect.logInfo("the agent starts", { spool: spool.id })
  if ((yield* spool.state("newest")) === null)
    yield* reconciler.poll(0).pipe(
      Effect.timeoutOption(patience),
      Effect.catch(() => Effect.logWarning("no state and no server: this node serves nothing"))
    )
  yield* enforcement.enforce
  yield* enforcement.tick()
  return yield* enforcement.run.pipe(Effect.raceFirst(reporter.run), Effect.raceFirst(reconciler.run))
}).pipe(Effect.ensuring(leave))
