/**
 * The node cuts: from the state, its own counters and its own clock to what the plane serves. Needs no server.
 *
 * Runs after every reading, for every new state, and when the clock alone changes who may pass. The plane is touched
 * only when what it must serve differs from what it serves, or when it was lost.
 */
import { Context, Effect, Latch, Layer, Semaphore } from "effect"
import { DataPlane, Instant, NodeState, Serving } from "@vpnmgr/core"
import * as Meter from "./Meter.ts"
import * as Reporter from "./Reporter.ts"
import * as Served from "./Served.ts"
import * as Spool from "./Spool.ts"
import * as Watch from "./Watch.ts"

/** What came of making the plane serve a revision. */
export interface Outcome {
  readonly generation: string
  readonly revision: number
  readonly outcome: "applied" | "rejected" | "failed"
  readonly detail: string | null
  readonly certificates: ReadonlyArray<DataPlane.InboundCertificate>
  readonly planeVersion: string | null
}

export class Enforcement extends Context.Service<
  Enforcement,
  {
    /** Serves a whole state from now on, which is on the disk already; `outcome` says what came of it. */
    readonly follow: (state: NodeState.NodeState) => Effect.Effect<void>
    /**
     * Cuts whom a state cuts that could not be kept, and lets in nobody by it, until `follow`. Why it was not kept is the
     * outcome.
     */
    readonly heed: (state: NodeState.NodeState, why: string) => Effect.Effect<void>
    /** Weighs again and makes the plane serve what follows. */
    readonly enforce: Effect.Effect<void>
    /** Reads, books and enforces once. With an edge, books up to it. */
    readonly tick: (edge?: Instant.Instant) => Effect.Effect<void>
    /** Ticks, and enforces when the clock changes who may pass, for ever. */
    readonly run: Effect.Effect<never>
    /** What came of the newest state; null before the first. */
    readonly outcome: () => Outcome | null
    /**
     * True when a bucket ran dry by this node's own count, while the server has every batch up to `acknowledgedTo` and
     * has not said that it is exhausted: its grant is older, and the server may have counted less (a quarantined entry,
     * another multiplier, a clock that was wrong). Only a fresh grant tells.
     */
    readonly isOutrun: (acknowledgedTo: number) => boolean
    /** Waits until `outcome` differs from what it was when last waited for. */
    readonly changed: Effect.Effect<void>
  }
>()("@vpnmgr/node-agent/Enforcement") {}

/** A rejected state is tried again this often, milliseconds: a file it names may have come. */
const tryAgain = 60_000

/** The clock is looked at again at least this often, milliseconds, whatever is due. */
const lookAgain = 60_000

interface Last {
  readonly serving: Serving.Serving
  readonly version: string
  readonly certificates: ReadonlyArray<DataPlane.InboundCertificate>
}

const same = (a: Outcome | null, b: Outcome): boolean => JSON.stringify(a) === JSON.stringify(b)

export const make = Effect.fn("Enforcement.make")(function* () {
  const plane = yield* DataPlane.DataPlane
  const spool = yield* Spool.Spool
  const meter = yield* Meter.Meter
  const reporter = yield* Reporter.Reporter
  const applying = yield* Semaphore.make(1)
  const outcomeChanged = yield* Latch.make(false)
  const dueChanged = yield* Latch.make(false)
  let state = yield* spool.state("newest")
  let accepted = yield* spool.state("accepted")
  let standings: ReadonlyMap<number, NodeState.Standing> = new Map()
  let last: Last | null = null
  let isLost = true
  let isRunExpected = true
  let rejected: { readonly state: NodeState.NodeState; readonly at: Instant.Instant } | null = null
  let outcome: Outcome | null = null
  let heeded: NodeState.NodeState | null = null
  let due: Instant.Instant = Instant.never
  const watch = Watch.make()
  reporter.name(() => last?.version ?? null)
  if (state !== null) yield* meter.follow(state)

  const conclude = Effect.fnUntraced(function* (
    of: NodeState.NodeState,
    how: Outcome["outcome"],
    detail: string | null
  ) {
    if (heeded !== null && heeded !== of) return
    const next: Outcome = {
      generation: of.generation,
      revision: of.revision,
      outcome: how,
      detail: detail?.slice(0, 2000) ?? null,
      certificates: last?.certificates ?? [],
      planeVersion: last?.version ?? null
    }
    if (same(outcome, next)) return
    outcome = next
    yield* outcomeChanged.open
  })

  const apply = Effect.fnUntraced(function* (serving: Serving.Serving) {
    const applied = yield* plane.apply(serving, { book: meter.book })
    if (last === null && applied.restarted) yield* spool.startFromZero
    isRunExpected = isRunExpected || applied.restarted
    isLost = false
    last = { serving, version: applied.version, certificates: applied.certificates }
  })

  const needed = (serving: Serving.Serving): boolean => isLost || last === null || !Served.equal(last.serving, serving)

  const remember = (of: NodeState.NodeState) =>
    Effect.sync(() => {
      accepted = of
    })

  const unkept = ({ reason }: Spool.SpoolError) =>
    Effect.logWarning("that the plane accepted the state was not kept: trying again", { detail: reason.detail })

  const accept = Effect.fnUntraced(function* (of: NodeState.NodeState) {
    rejected = null
    if (accepted !== of) yield* Effect.matchEffect(spool.accept, { onSuccess: () => remember(of), onFailure: unkept })
    yield* conclude(of, "applied", null)
  })

  const fallBack = Effect.fnUntraced(function* (wanted: Serving.Serving) {
    const narrowed = accepted === null ? Serving.nothing : Served.narrow(accepted, wanted)
    if (needed(narrowed)) yield* apply(narrowed)
  })

  const refused = Effect.fnUntraced(function* (
    of: NodeState.NodeState,
    wanted: Serving.Serving,
    detail: string,
    now: number
  ) {
    if (rejected?.state !== of)
      yield* Effect.logError("the plane rejects the state: serving the last one it accepted, less what is cut", {
        revision: of.revision,
        detail
      })
    rejected = { state: of, at: now }
    yield* conclude(of, "rejected", detail)
    yield* fallBack(wanted)
  })

  const serve = Effect.fnUntraced(
    function* (of: NodeState.NodeState, wanted: Serving.Serving, now: Instant.Instant) {
      if (rejected?.state === of && now - rejected.at < tryAgain) return yield* fallBack(wanted)
      if (needed(wanted))
        return yield* apply(wanted).pipe(
          Effect.andThen(accept(of)),
          Effect.catchReason("DataPlaneError", "PlaneRejected", ({ detail }) => refused(of, wanted, detail, now))
        )
      yield* accept(of)
    },
    (effect, of) =>
      effect.pipe(
        Effect.catch((error) => {
          isLost = true
          const detail = "detail" in error.reason ? error.reason.detail : "the plane restarted meanwhile"
          return Effect.logWarning("the plane was not reached: trying again", { detail }).pipe(
            Effect.andThen(rejected?.state === of ? Effect.void : conclude(of, "failed", detail))
          )
        })
      )
  )

  const standingsOf = (of: NodeState.NodeState, spent: NodeState.Spent, now: Instant.Instant) =>
    new Map(of.buckets.map((grant) => [grant.ref, NodeState.standing(grant, spent, now)]))

  /** By the newest state that was kept; a newer one takes away what it does not let pass, its buckets as they were told. */
  const weigh = Effect.fnUntraced(function* (of: NodeState.NodeState, now: Instant.Instant) {
    standings = standingsOf(of, yield* meter.spent, now)
    due = Served.nextChange(of, standings, now)
    const wanted = NodeState.serving(of, standings, now)
    if (heeded === null) return wanted
    const told = standingsOf(heeded, () => 0n, now)
    due = Math.min(due, Served.nextChange(heeded, told, now))
    return Served.within(wanted, NodeState.serving(heeded, told, now))
  })

  const enforceNow = Effect.gen(function* () {
    const now = yield* Instant.now
    const of = state
    if (of === null) {
      if (needed(Serving.nothing)) yield* apply(Serving.nothing)
      return
    }
    const wanted = yield* weigh(of, now)
    yield* serve(of, wanted, now)
    yield* dueChanged.open
    if (watch.isPressing(standings, reporter.sealings())) yield* reporter.ask
  }).pipe(
    Effect.catch((error) => {
      isLost = isLost || error._tag === "DataPlaneError"
      const detail = "detail" in error.reason ? error.reason.detail : error.reason._tag
      return Effect.logError("enforcing failed: trying again", { detail })
    })
  )

  const enforce = applying.withPermits(1)(enforceNow)

  const unread = (error: Meter.MeterError) => {
    if (error._tag === "SpoolError")
      return Effect.logError("a reading was not booked: the next one holds it too", { detail: error.reason.detail })
    isLost = isLost || error.reason._tag === "PlaneUnreachable"
    const reason = error.reason._tag
    return Effect.logWarning("the plane's counters were not read: the next reading holds them too", { reason })
  }

  const readOnce = (edge?: Instant.Instant) =>
    Effect.gen(function* () {
      const booked = yield* meter.read(edge)
      if (booked === null) return
      isLost = isLost || (booked.isNewEpoch && !isRunExpected)
      isRunExpected = false
    }).pipe(Effect.catch(unread))

  const tick = (edge?: Instant.Instant) => readOnce(edge).pipe(Effect.andThen(enforce))

  const onTime = Effect.gen(function* () {
    yield* dueChanged.close
    const now = yield* Instant.now
    const isDue = yield* Effect.sleep(Math.max(0, Math.min(due - now, lookAgain))).pipe(
      Effect.as(true),
      Effect.raceFirst(dueChanged.await.pipe(Effect.as(false)))
    )
    if (isDue) yield* enforce
  })

  const ticking = meter.wait.pipe(Effect.flatMap(tick), Effect.forever)

  return Enforcement.of({
    follow: (next) =>
      applying.withPermits(1)(
        Effect.gen(function* () {
          state = next
          heeded = null
          yield* meter.follow(next)
          yield* enforceNow
        })
      ),
    heed: (next, why) =>
      applying.withPermits(1)(
        Effect.gen(function* () {
          heeded = next
          yield* conclude(next, "failed", why)
          yield* enforceNow
        })
      ),
    enforce,
    tick,
    run: Effect.raceFirst(ticking, Effect.forever(onTime)),
    outcome: () => outcome,
    isOutrun: (acknowledgedTo) =>
      state?.buckets.some(
        ({ asOf, isBlocked, ref }) =>
          !isBlocked && standings.get(ref)?.left === 0n && (asOf?.spool === spool.id ? asOf.seq : 0) < acknowledgedTo
      ) ?? false,
    changed: outcomeChanged.await.pipe(Effect.andThen(outcomeChanged.close), Effect.asVoid)
  })
})

/** Enforces on the plane of the context. Starts from the state the spool keeps. */
export const layer: Layer.Layer<
  Enforcement,
  Spool.SpoolError,
  DataPlane.DataPlane | Spool.Spool | Meter.Meter | Reporter.Reporter
> = Layer.effect(Enforcement, make())
