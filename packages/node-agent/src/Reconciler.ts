/**
 * Keeps the node at the newest state: polls, lays differences over what it has, keeps the whole on the disk, and only
 * then lets the plane change; of a state that the disk does not take, only the cuts are made. Says what the node really
 * serves until the server has heard it.
 */
import { Context, Effect, Latch, Layer } from "effect"
import { Instant, NodeState } from "@vpnmgr/core"
import { ControlPlane, ControlPlaneError, ProtocolUnknown, upgradeAdvice, type Have } from "./ControlPlane.ts"
import * as Enforcement from "./Enforcement.ts"
import { backoff } from "./Reporter.ts"
import * as Spool from "./Spool.ts"

export interface ReconcilerOptions {
  /** Seconds a poll may be held by the server. Default 30. */
  readonly wait?: number | undefined
  /** The agent's version, as the server shows it. */
  readonly agentVersion?: string | undefined
}

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /** Polls once, held up to `wait` seconds, and follows what it got. */
    readonly poll: (wait: number) => Effect.Effect<void, ControlPlaneError | Spool.SpoolError>
    /** Polls and announces for ever. */
    readonly run: Effect.Effect<never>
  }
>()("@vpnmgr/node-agent/Reconciler") {}

const none: Have = { generation: "", revision: 0 }

const detailOf = (error: ControlPlaneError | Spool.SpoolError): string =>
  error.reason._tag === "ProtocolUnknown" ? error.reason.advice : error.reason.detail

export const make = Effect.fn("Reconciler.make")(function* (options: ReconcilerOptions) {
  const spool = yield* Spool.Spool
  const server = yield* ControlPlane
  const enforcement = yield* Enforcement.Enforcement
  const unheard = yield* Latch.make(true)
  let state = yield* spool.state("newest")
  let wantsWhole = false

  const have = (): Have =>
    state === null ? none : { generation: state.generation, revision: wantsWhole ? 0 : state.revision }

  const wholeOf = (next: NodeState.NodeState): NodeState.NodeState | null => {
    if (next.since === null) return next
    const fits = state !== null && next.generation === state.generation && next.since === state.revision
    return state !== null && fits ? NodeState.merge(state, next) : null
  }

  const take = Effect.fnUntraced(function* (next: NodeState.NodeState) {
    const advice = upgradeAdvice(next.protocol)
    if (advice !== null)
      return yield* new ControlPlaneError({ reason: new ProtocolUnknown({ theirs: next.protocol, advice }) })
    const whole = wholeOf(next)
    if (whole === null) {
      yield* Effect.logWarning("a difference to a revision this node does not have: asking for the whole state", {
        since: next.since,
        have: state?.revision ?? null
      })
      wantsWhole = true
      return
    }
    yield* spool
      .keep(whole)
      .pipe(Effect.tapError(({ reason }) => enforcement.heed(whole, `the state cannot be kept: ${reason.detail}`)))
    state = whole
    wantsWhole = false
    yield* Effect.logInfo("following a new state", { revision: whole.revision, whole: next.since === null })
    yield* enforcement.follow(whole)
  })

  const poll = Effect.fn("Reconciler.poll")(function* (wait: number) {
    const acknowledged = yield* spool.acknowledgedTo
    wantsWhole = wantsWhole || enforcement.isOutrun(acknowledged)
    const next = yield* server.state(have(), wait)
    if (next !== null) yield* take(next)
    if (state !== null) yield* spool.prune(acknowledged, state, yield* Instant.now)
  })

  /** Keeps a server that answers at once, with nothing or with what does not fit, from being asked without a pause. */
  const pace = (began: Instant.Instant, had: number | null, tries: number) =>
    Effect.flatMap(Instant.now, (now) => {
      if (wantsWhole) return Effect.sleep(tries === 0 ? 0 : Math.min(10_000, 500 * 2 ** tries))
      return state?.revision === had && now - began < 1000 ? Effect.sleep(1000) : Effect.void
    })

  const polling = Effect.gen(function* () {
    let before: string | null = null
    for (let tries = 0; ;) {
      const [began, had, wantedWhole] = [yield* Instant.now, state?.revision ?? null, wantsWhole]
      const error = yield* poll(options.wait ?? 30).pipe(
        Effect.as(null),
        Effect.catch((error) => Effect.succeed(error))
      )
      if (error === null) {
        if (before !== null) {
          yield* Effect.logInfo("the server answers again")
          yield* unheard.open
        }
        before = null
        tries = wantedWhole && wantsWhole ? tries + 1 : 0
        yield* pace(began, had, tries)
        continue
      }
      const detail = detailOf(error)
      if (detail !== before) yield* Effect.logWarning("no new state: the node goes on with the one it has", { detail })
      before = detail
      yield* Effect.sleep(error._tag === "ControlPlaneError" ? yield* backoff(error, tries) : 2000)
      tries++
    }
  })

  const announce = Effect.gen(function* () {
    yield* unheard.await
    yield* unheard.close
    for (let tries = 0; ; tries++) {
      const outcome = enforcement.outcome()
      if (outcome === null) return
      const error = yield* server.applied({ ...outcome, agentVersion: options.agentVersion ?? "unknown" }).pipe(
        Effect.as(null),
        Effect.catch((error) => Effect.succeed(error))
      )
      if (error === null) return
      const isFinal = error.reason._tag === "Refused" && error.reason.status === 409
      if (isFinal) return yield* Effect.logWarning("the server knows no such revision", { revision: outcome.revision })
      yield* Effect.sleep(yield* backoff(error, tries)).pipe(Effect.raceFirst(unheard.await))
    }
  })

  const heeding = Effect.forever(enforcement.changed.pipe(Effect.andThen(unheard.open)))

  return Reconciler.of({
    poll,
    run: Effect.raceFirst(polling, Effect.raceFirst(Effect.forever(announce), heeding))
  })
})

/** Follows the control plane of the context. */
export const layer = (
  options: ReconcilerOptions = {}
): Layer.Layer<Reconciler, Spool.SpoolError, Spool.Spool | ControlPlane | Enforcement.Enforcement> =>
  Layer.effect(Reconciler, make(options))
