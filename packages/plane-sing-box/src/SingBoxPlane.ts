/**
 * The `DataPlane` port over one sing-box process on this node.
 *
 * Whoever the process already knows is let in and cut by selectors, without touching anybody else; somebody new asks
 * for another run, before which the old one is brought to rest and its last counters are booked. The process outlives
 * the agent, and the next agent adopts it. What may pass is always rendered from the newest serving.
 */
import { DataPlane, Instant, type Serving, SingBoxServer } from "@vpnmgr/core"
import { Duration, Effect, Layer, Ref, type Scope, Semaphore } from "effect"
import { resolve } from "node:path"
import * as Certificates from "./internal/Certificates.ts"
import * as ControlApi from "./internal/ControlApi.ts"
import * as Directory from "./internal/Directory.ts"
import * as Doors from "./internal/Doors.ts"
import { type Failure, rejected, restarted, unreachable } from "./internal/Failure.ts"
import * as Process from "./internal/Process.ts"
import * as Rendering from "./internal/Rendering.ts"
import * as Roster from "./internal/Roster.ts"
import * as Run from "./internal/Run.ts"
import * as Selectors from "./internal/Selectors.ts"
import * as StatsApi from "./internal/StatsApi.ts"

export { DirectoryInUse } from "./internal/Directory.ts"

export interface Options {
  /** Where the driver keeps its files, mode 700. One living agent per directory. */
  readonly directory: string
  /** The sing-box program; it must be built `with_v2ray_api` and `with_clash_api`. */
  readonly binary: string
  /** How long sing-box may take to answer after its start. Default 30 seconds. */
  readonly startTimeout?: Duration.Input
  /**
   * Lets one UDP socket of a client speak to many peers. Default false: sing-box's rules see only the first packet of a
   * UDP session, so this opens the node's loopback and network to subscribers over UDP unless a firewall closes them.
   */
  readonly manyPeerUdp?: boolean
  /** How long a state that could not be started is not tried again, since each try drops what is open. Default 5 minutes. */
  readonly retryAfter?: Duration.Input
  /**
   * How long a run whose last counters could not be taken or booked is not brought to rest again, since each try drops
   * what is open: doubled with each failure, up to `retryAfter`. Default 10 seconds.
   */
  readonly drainAgainAfter?: Duration.Input
}

/** What sing-box can do: everything but speed limits, which it has not. */
export const capabilities: DataPlane.Capabilities = {
  perUserCounters: true,
  cutsOpenConnections: true,
  liveChanges: true,
  speedLimits: false
}

interface Wish {
  readonly serving: Serving.Serving
  readonly roster: Roster.Roster
  readonly certificates: ReadonlyArray<Certificates.Certificate>
}

interface Refusal {
  readonly wish: string
  readonly until: Instant.Instant
  readonly detail: string
}

/** Failures in a row to bring a run to rest and book what it counted. */
interface Unrest {
  readonly failures: number
  readonly until: Instant.Instant
  readonly detail: string
}

const detailOf = ({ reason }: Failure): string =>
  reason._tag === "PlaneRestarted" ? "it was restarted" : reason.detail

const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<DataPlane.DataPlane["Service"], Directory.DirectoryInUse, Scope.Scope> {
  const place: Run.Place = {
    directory: resolve(options.directory),
    binary: options.binary,
    startTimeout: Duration.fromInputUnsafe(options.startTimeout ?? "30 seconds")
  }
  const rendering = Rendering.nameOf({ manyPeerUdp: options.manyPeerUdp ?? false })
  const drainAgainAfter = Duration.toMillis(Duration.fromInputUnsafe(options.drainAgainAfter ?? "10 seconds"))
  const retryAfter = Duration.toMillis(Duration.fromInputUnsafe(options.retryAfter ?? "5 minutes"))

  yield* Directory.hold(place.directory)
  const oneAtATime = Semaphore.makeUnsafe(1)
  const current = yield* Ref.make<Run.Run | undefined>(undefined)
  const refusal = yield* Ref.make<Refusal | undefined>(undefined)
  const unrest = yield* Ref.make<Unrest | undefined>(undefined)

  const adopt = Run.adopt(place).pipe(
    Effect.tap((run) => (run === undefined ? Effect.void : Effect.ignore(Selectors.resume(run)))),
    Effect.tap((run) => Ref.set(current, run))
  )
  yield* adopt

  const living = Ref.get(current).pipe(
    Effect.flatMap((run) => (run !== undefined && Process.isAlive(run.process) ? Effect.succeed(run) : adopt))
  )

  const counters = Effect.fnUntraced(function* (run: Run.Run): Effect.fn.Return<DataPlane.Counters, Failure> {
    if (!Process.isAlive(run.process)) return yield* Effect.fail(unreachable("sing-box is not running"))
    const isSame = yield* ControlApi.holds(run, run.epoch)
    const counters = yield* StatsApi.query(run.stats)
    if (!isSame || !(yield* ControlApi.holds(run, run.epoch))) return yield* Effect.fail(restarted())
    return { epoch: run.epoch, at: yield* Instant.now, counters }
  })

  const converge = Effect.fnUntraced(function* (run: Run.Run, wish: Wish): Effect.fn.Return<void, Failure> {
    const open = Roster.openIn(run.roster, wish.roster, wish.serving)
    const names = yield* Selectors.differing(run, open)
    const config = SingBoxServer.rerun(run.config, open, run)
    const [blocked, opened] = [names.filter((name) => !open.has(name)), names.filter((name) => open.has(name))]
    const written = yield* Effect.exit(names.length === 0 ? Effect.void : Run.writeConfig(place, config))
    yield* Selectors.move(run, blocked, open)
    yield* Selectors.cut(run, open)
    yield* written
    yield* Selectors.move(run, opened, open)
    yield* Selectors.resume(run)
    yield* Ref.set(current, { ...run, config })
  })

  const plan = Effect.fnUntraced(function* (wish: Wish): Effect.fn.Return<Run.Plan, Failure> {
    const chosen = yield* Run.choose(new Set(wish.serving.inbounds.map(({ port }) => port)))
    const certificates = new Map(wish.certificates.map(({ files, inbound }) => [inbound, files]))
    return {
      ...chosen,
      version: yield* Process.version(place.binary),
      roster: wish.roster,
      config: SingBoxServer.render(wish.serving, {
        ...chosen,
        certificates,
        manyPeerUdp: options.manyPeerUdp ?? false
      })
    }
  })

  const again = Effect.fnUntraced(function* (former: Run.Plan, wish: Wish): Effect.fn.Return<Run.Plan, Failure> {
    const chosen = yield* Run.choose(new Set(former.config.inbounds.map(({ listen_port }) => Number(listen_port))))
    const open = Roster.openIn(former.roster, wish.roster, wish.serving)
    return {
      ...chosen,
      version: yield* Process.version(place.binary),
      roster: former.roster,
      config: SingBoxServer.rerun(former.config, open, chosen)
    }
  })

  const begin = (plan: Run.Plan, wish: Wish): Effect.Effect<void, Failure> =>
    Ref.set(current, undefined).pipe(
      Effect.andThen(Run.start(place, plan)),
      Effect.tap((run) => Ref.set(current, run)),
      Effect.flatMap((run) => converge(run, wish))
    )

  const refuse = Effect.fnUntraced(function* (wish: Wish, detail: string): Effect.fn.Return<never, Failure> {
    yield* Ref.set(refusal, {
      wish: Roster.digestOf(wish.roster),
      until: (yield* Instant.now) + retryAfter,
      detail
    })
    return yield* Effect.fail(rejected(detail))
  })

  const orGoBack = (
    begun: Effect.Effect<void, Failure>,
    wish: Wish,
    former: Run.Plan | undefined
  ): Effect.Effect<void, Failure> =>
    begun.pipe(
      Effect.catch((failure) =>
        former === undefined || Roster.digestOf(former.roster) === Roster.digestOf(wish.roster)
          ? Effect.fail(failure)
          : again(former, wish).pipe(
              Effect.flatMap((former) => begin(former, wish)),
              Effect.andThen(refuse(wish, detailOf(failure)))
            )
      ),
      Effect.uninterruptible
    )

  const doorsOpen = (run: Run.Run, { roster, serving }: Wish): Effect.Effect<void, Failure> => {
    const own = new Set(run.config.inbounds.map(({ listen_port }) => listen_port))
    const doors = serving.inbounds.filter(({ port, ref }) => String(ref) in roster.inbounds && !own.has(port))
    return Effect.flatMap(Doors.obstacle(doors), (reason) =>
      reason === undefined ? Effect.void : Effect.fail(rejected(reason))
    )
  }

  const disturbed = Effect.fnUntraced(function* (detail: string) {
    const failures = ((yield* Ref.get(unrest))?.failures ?? 0) + 1
    const pause = Math.max(drainAgainAfter, Math.min(retryAfter, drainAgainAfter * 2 ** (failures - 1)))
    yield* Ref.set(unrest, { failures, detail, until: (yield* Instant.now) + pause })
  })

  const replace = Effect.fnUntraced(function* (
    run: Run.Run,
    wish: Wish,
    { book }: DataPlane.ApplyOptions
  ): Effect.fn.Return<void, Failure> {
    const next = yield* plan(wish).pipe(
      Effect.catch((failure) => Effect.andThen(converge(run, wish), Effect.fail(failure)))
    )
    yield* Run.check(place, next.config).pipe(
      Effect.andThen(doorsOpen(run, wish)),
      Effect.catch((failure) => Effect.andThen(converge(run, wish), refuse(wish, detailOf(failure))))
    )
    yield* Selectors.drain(run, counters(run)).pipe(
      Effect.flatMap(book),
      Effect.tapError((failure) => disturbed(detailOf(failure))),
      Effect.onExit((exit) => (exit._tag === "Success" ? Effect.void : Effect.ignore(converge(run, wish))))
    )
    yield* Ref.set(unrest, undefined)
    yield* orGoBack(begin(next, wish), wish, run)
  })

  const apply = Effect.fnUntraced(function* (serving: Serving.Serving, options: DataPlane.ApplyOptions) {
    const now = yield* Instant.now
    const certificates = yield* Certificates.ensure(place.directory, serving.inbounds, now)
    const pems = new Map(certificates.map(({ inbound, pem }) => [inbound, pem]))
    const wish: Wish = { serving, certificates, roster: Roster.of(serving, pems, rendering) }
    const refused = yield* Ref.get(refusal)
    const disturbance = yield* Ref.get(unrest)
    const run = yield* living
    const isCovered = run !== undefined && Roster.covers(run.roster, wish.roster, serving)
    if (run === undefined) {
      const next = yield* plan(wish)
      const begun = Effect.andThen(Run.check(place, next.config), begin(next, wish))
      yield* orGoBack(begun, wish, yield* Run.last(place))
    } else if (isCovered) {
      yield* converge(run, wish)
    } else if (refused?.wish === Roster.digestOf(wish.roster) && now < refused.until) {
      yield* converge(run, wish)
      return yield* Effect.fail(rejected(refused.detail))
    } else if (disturbance !== undefined && now < disturbance.until) {
      yield* converge(run, wish)
      return yield* Effect.fail(unreachable(`not brought to rest again yet: ${disturbance.detail}`))
    } else {
      yield* replace(run, wish, options)
    }
    if (!isCovered || refused?.wish === Roster.digestOf(wish.roster)) yield* Ref.set(refusal, undefined)
    const { version } = (yield* Ref.get(current))!
    return {
      restarted: !isCovered,
      version,
      certificates: certificates.map(({ inbound, pem }) => ({ inbound, pem }))
    }
  })

  return {
    capabilities,
    apply: (serving, options) => oneAtATime.withPermit(apply(serving, options)),
    read: Ref.get(current).pipe(
      Effect.flatMap((run) => (run === undefined ? Effect.fail(unreachable("sing-box is not running")) : counters(run)))
    )
  }
})

/**
 * The driver. It adopts the run that the directory tells of, if that still lives, and starts nothing before the first
 * `apply`. Closing the layer leaves sing-box running. Fails with `DirectoryInUse` while another agent lives.
 */
export const layer = (options: Options): Layer.Layer<DataPlane.DataPlane, Directory.DirectoryInUse> =>
  Layer.effect(DataPlane.DataPlane, make(options))

/** Ends the sing-box that was started on a directory, for good, without booking its counters. Succeeds when there is none. */
export const stop = (directory: string): Effect.Effect<void> =>
  Run.endAll({ directory: resolve(directory), binary: "", startTimeout: Duration.zero })
