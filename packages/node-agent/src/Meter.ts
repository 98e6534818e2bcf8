/**
 * Reads the plane's counters and books them, exactly once each. Nothing here decides who may pass.
 *
 * Readings come one at a time. Whatever was booked while a reading was under way (the last counters of a run that the
 * plane ends by itself) makes that reading void: the next one will do, and no run is read backwards.
 */
import { Context, Effect, Layer, Semaphore } from "effect"
import { DataPlane, Instant, type NodeState } from "@vpnmgr/core"
import { faultPoint } from "./internal/faultPoint.ts"
import * as Spool from "./Spool.ts"
import * as Tally from "./Tally.ts"

export interface MeterOptions {
  /** Milliseconds between readings. Default 2000. */
  readonly readEvery?: number | undefined
  /** The grain, milliseconds, while no state has told one. Default one hour. */
  readonly grainFallback?: number | undefined
}

export type MeterError = DataPlane.DataPlaneError | Spool.SpoolError

export class Meter extends Context.Service<
  Meter,
  {
    /** Reads now. With an edge, books up to that edge. Answers null when the reading was void. */
    readonly read: (edge?: Instant.Instant) => Effect.Effect<Spool.Booked | null, MeterError>
    /** Waits for the next reading's time: `readEvery`, or a grain's edge before that. Answers the edge, if it is one. */
    readonly wait: Effect.Effect<Instant.Instant | undefined>
    /** Books the last counters of a run that the plane is about to end; what `apply` is given. */
    readonly book: DataPlane.ApplyOptions["book"]
    /** Takes the grain, the multipliers and the buckets from a state. */
    readonly follow: (state: NodeState.NodeState) => Effect.Effect<void>
    /** What each bucket has spent on this node, as of the last reading, whether that could be booked or not. */
    readonly spent: Effect.Effect<NodeState.Spent, Spool.SpoolError>
  }
>()("@vpnmgr/node-agent/Meter") {}

const unbooked = (error: Spool.SpoolError): DataPlane.DataPlaneError =>
  new DataPlane.DataPlaneError({
    reason: new DataPlane.PlaneUnreachable({ detail: `the last counters were not booked: ${error.reason.detail}` })
  })

const tell = Effect.fnUntraced(function* (booked: Spool.Booked) {
  if (booked.uncounted !== null)
    yield* Effect.logWarning(
      "this spool was re-made while the plane was running: its counters so far are taken as counted already",
      { bytes: String(booked.uncounted) }
    )
  if (booked.backwards.length > 0)
    yield* Effect.logError(
      "counters of the plane went backwards within one run: taken as they are, nothing subtracted",
      {
        counters: booked.backwards.length
      }
    )
})

export const make = Effect.fn("Meter.make")(function* (options: MeterOptions) {
  const plane = yield* DataPlane.DataPlane
  const spool = yield* Spool.Spool
  const reading = yield* Semaphore.make(1)
  const readEvery = options.readEvery ?? 2000
  let state: NodeState.NodeState | null = null
  let scales = Tally.scales(null)
  let tally: Tally.Tally | null = null
  let tallied = -1
  let bookings = 0
  /** What the last reading holds that could not be booked. */
  let ahead: ReadonlyArray<Tally.Counted> = []

  const grain = (): number => state?.grain ?? options.grainFallback ?? 3_600_000

  const store = Effect.fnUntraced(function* (counters: DataPlane.Counters, to?: Instant.Instant) {
    const booked = yield* spool.book(counters, { grain: grain(), to }).pipe(
      Effect.tapError(() =>
        Effect.map(spool.unbooked(counters), (found) => {
          ahead = found
        })
      )
    )
    ahead = []
    bookings++
    if (tally !== null) for (const counted of booked.counted) Tally.add(tally, Tally.weigh(scales, counted))
    yield* faultPoint("agent.booked")
    yield* tell(booked)
    return booked
  }, Effect.uninterruptible)

  const asOf = (at: Instant.Instant, edge: Instant.Instant | undefined): Instant.Instant =>
    edge !== undefined && at > edge && at - edge < readEvery ? edge : at

  const read = (edge?: Instant.Instant) =>
    Effect.gen(function* () {
      const before = bookings
      const counters = yield* plane.read
      return bookings === before ? yield* store(counters, asOf(counters.at, edge)) : null
    }).pipe(reading.withPermits(1))

  const wait = Effect.gen(function* () {
    const now = yield* Instant.now
    const edge = (Math.floor(now / grain()) + 1) * grain()
    const isEdge = edge <= now + readEvery
    yield* Effect.sleep(isEdge ? edge - now : readEvery)
    return isEdge ? edge : undefined
  })

  const spent = Effect.gen(function* () {
    if (tally === null || tallied !== spool.version()) {
      tallied = spool.version()
      tally = yield* spool.tally(state)
    }
    if (ahead.length === 0) return Tally.spent(tally, scales, spool.id)
    const whole: Tally.Tally = new Map([...tally].map(([bucket, pieces]) => [bucket, new Map(pieces)]))
    for (const counted of ahead) Tally.add(whole, Tally.weigh(scales, counted))
    return Tally.spent(whole, scales, spool.id)
  })

  return Meter.of({
    read,
    wait,
    book: (last) => store(last).pipe(Effect.mapError(unbooked), Effect.asVoid),
    follow: (next) =>
      Effect.sync(() => {
        state = next
        scales = Tally.scales(next)
        tally = null
      }),
    spent
  })
})

/** Reads the plane of the context into the spool of the context. */
export const layer = (options: MeterOptions = {}): Layer.Layer<Meter, never, DataPlane.DataPlane | Spool.Spool> =>
  Layer.effect(Meter, make(options))
