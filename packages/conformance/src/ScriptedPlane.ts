/**
 * A data plane in memory, with the people who use it: a test opens connections, moves bytes, and lets it crash, refuse
 * or fall silent. For whatever stands on the `DataPlane` port and wants no process beneath it.
 */
import { DataPlane, Instant, type Serving, SingBoxServer } from "@vpnmgr/core"
import { Effect, Layer } from "effect"

/** A connection that somebody opened. */
export interface Connection {
  /** False once it was refused, cut or lost. */
  readonly isOpen: Effect.Effect<boolean>
  /** Moves bytes from and to the client; false when the connection is not open, and nothing was moved. */
  readonly transfer: (up: bigint, down: bigint) => Effect.Effect<boolean>
}

export interface ScriptedPlane {
  /** The port; several layers of one scripted plane speak to the same plane, as agents that follow each other do. */
  readonly layer: Layer.Layer<DataPlane.DataPlane>
  /** Connects as a credential at an inbound. Who is not let in gets a connection that is not open. */
  readonly connect: (credential: number, inbound: number) => Effect.Effect<Connection>
  /** Ends the plane as `kill -9` would: its counters are gone. */
  readonly crash: Effect.Effect<void>
  /** The next `apply` that wants another run is refused, and the plane goes on with what it serves. */
  readonly refuseNext: (detail: string) => Effect.Effect<void>
  /** While true the plane goes on and does not answer. */
  readonly setSilent: (isSilent: boolean) => Effect.Effect<void>
  /** What was applied last; undefined before the first. */
  readonly applied: Effect.Effect<Serving.Serving | undefined>
  /** How many runs were started. */
  readonly starts: Effect.Effect<number>
}

interface Run {
  readonly epoch: string
  readonly known: ReadonlySet<string>
  readonly inbounds: string
  open: ReadonlySet<string>
  readonly counters: Map<string, DataPlane.Counter>
  readonly connections: Set<{ readonly pair: string }>
}

const fail = (reason: DataPlane.DataPlaneError["reason"]) => Effect.fail(new DataPlane.DataPlaneError({ reason }))

const inboundsOf = (serving: Serving.Serving): string =>
  JSON.stringify(serving.inbounds.map(({ listen, port, ref, settings }) => [ref, listen, port, settings]))

const known = ({ access, name }: SingBoxServer.Known): string => `${name} ${JSON.stringify(access)}`

/** What a scripted plane can do; `speedLimits` it has none. */
export const capabilities: DataPlane.Capabilities = {
  perUserCounters: true,
  cutsOpenConnections: true,
  liveChanges: true,
  speedLimits: false
}

/** Makes a plane that is not running yet. */
export const make: Effect.Effect<ScriptedPlane> = Effect.sync(() => {
  let run: Run | undefined
  let applied: Serving.Serving | undefined
  let starts = 0
  let refusal: string | undefined
  let isSilent = false

  const counters = ({ counters, epoch }: Run) =>
    Effect.map(Instant.now, (at): DataPlane.Counters => ({ epoch, at, counters: [...counters.values()] }))

  const answering = Effect.suspend(() =>
    run === undefined || isSilent
      ? fail(new DataPlane.PlaneUnreachable({ detail: isSilent ? "silent" : "not running" }))
      : Effect.succeed(run)
  )

  const open = (run: Run, pairs: ReadonlyArray<SingBoxServer.Known>) => {
    run.open = new Set(pairs.filter((pair) => pair.open && run.known.has(known(pair))).map(({ name }) => name))
    for (const connection of run.connections) if (!run.open.has(connection.pair)) run.connections.delete(connection)
  }

  const apply = Effect.fnUntraced(function* (serving: Serving.Serving, { book }: DataPlane.ApplyOptions) {
    if (isSilent) return yield* fail(new DataPlane.PlaneUnreachable({ detail: "silent" }))
    const pairs = SingBoxServer.knownPairs(serving)
    const current = run
    const isCovered =
      current !== undefined &&
      current.inbounds === inboundsOf(serving) &&
      pairs.every((pair) => current.known.has(known(pair)))
    if (current !== undefined && !isCovered) {
      if (refusal !== undefined) {
        const detail = refusal
        refusal = undefined
        open(current, pairs)
        return yield* fail(new DataPlane.PlaneRejected({ detail }))
      }
      const before = current.open
      current.open = new Set()
      current.connections.clear()
      yield* Effect.flatMap(counters(current), book).pipe(
        Effect.onError(() => Effect.sync(() => (current.open = before)))
      )
    }
    if (!isCovered) {
      starts++
      run = {
        epoch: `run-${starts}`,
        known: new Set(pairs.map(known)),
        inbounds: inboundsOf(serving),
        open: new Set(),
        counters: new Map(),
        connections: new Set()
      }
    }
    open(run!, pairs)
    applied = serving
    return { restarted: !isCovered, version: "scripted 1", certificates: [] }
  })

  const connect = (credential: number, inbound: number) =>
    Effect.sync((): Connection => {
      const pair = SingBoxServer.pairName(credential, inbound)
      const connection = { pair }
      const own = run
      if (own?.open.has(pair)) own.connections.add(connection)
      const isOpen = () => own !== undefined && own === run && own.connections.has(connection)
      return {
        isOpen: Effect.sync(isOpen),
        transfer: (up, down) =>
          Effect.sync(() => {
            if (own === undefined || !isOpen()) return false
            const before = own.counters.get(pair) ?? { credential, inbound, up: 0n, down: 0n }
            own.counters.set(pair, { ...before, up: before.up + up, down: before.down + down })
            return true
          })
      }
    })

  const plane: DataPlane.DataPlane["Service"] = { capabilities, apply, read: Effect.flatMap(answering, counters) }

  return {
    layer: Layer.succeed(DataPlane.DataPlane, plane),
    connect,
    crash: Effect.sync(() => void (run = undefined)),
    refuseNext: (detail) => Effect.sync(() => void (refusal = detail)),
    setSilent: (value) => Effect.sync(() => void (isSilent = value)),
    applied: Effect.sync(() => applied),
    starts: Effect.sync(() => starts)
  }
})
