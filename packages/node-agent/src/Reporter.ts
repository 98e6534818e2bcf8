/**
 * Sends batches in order, each until it is acknowledged. Also the heartbeat: an empty batch when there is nothing.
 *
 * The tail is sealed only when everything before it was acknowledged, so that an hour without the server makes one
 * batch and not hundreds, and the backlog drains quickly.
 */
import { Context, Effect, Latch, Layer, Random } from "effect"
import { Instant } from "@vpnmgr/core"
import { ControlPlane, ControlPlaneError, type Refused, Unreachable } from "./ControlPlane.ts"
import { faultPoint } from "./internal/faultPoint.ts"
import * as Spool from "./Spool.ts"

export interface ReporterOptions {
  /** Milliseconds between reports. Default 10,000. */
  readonly reportEvery?: number | undefined
  /** The agent's version, as the server shows it. */
  readonly agentVersion?: string | undefined
}

export class Reporter extends Context.Service<
  Reporter,
  {
    /** Asks for a report at once. */
    readonly ask: Effect.Effect<void>
    /** How often a tail was sealed: what was counted before is on its way. */
    readonly sealings: () => number
    /** Seals and sends until nothing waits, however long it takes. */
    readonly flush: Effect.Effect<void, Spool.SpoolError>
    /** Reports every `reportEvery`, or when asked, for ever. */
    readonly run: Effect.Effect<never>
    /** Names the plane in what is sent from now on. */
    readonly name: (planeVersion: () => string | null) => void
  }
>()("@vpnmgr/node-agent/Reporter") {}

/** The longest wait before another try, milliseconds: while nothing answers, and when the answer is no. */
const longest = { unreachable: 10_000, refused: 60_000 }

/** Milliseconds before the next try: doubling from half a second, a quarter either way at random. */
export const backoff = (error: ControlPlaneError, tries: number): Effect.Effect<number> => {
  const bound = error.reason._tag === "Unreachable" ? longest.unreachable : longest.refused
  const base = error.reason._tag === "Unreachable" ? 500 : 5000
  const middle = Math.min(bound, base * 2 ** Math.min(tries, 10))
  return Effect.map(Random.next, (random) => Math.round(middle * (0.75 + random / 2)))
}

/** Says once per kind of failure what is wrong, not at every try. */
const complain = (error: ControlPlaneError, before: string | null): Effect.Effect<string> => {
  const { reason } = error
  const detail = reason._tag === "ProtocolUnknown" ? reason.advice : reason.detail
  const text = `${reason._tag}: ${detail}`
  if (text === before) return Effect.succeed(text)
  const log = reason._tag === "Unreachable" ? Effect.logWarning : Effect.logError
  return log("a report was not taken: it is kept and sent again", { detail }).pipe(Effect.as(text))
}

/**
 * What becomes of a batch whose number was used before: its spool was brought back from a copy, or copied to another
 * machine. What was in the file when it was opened went out in the time that the file forgot; what was made since goes
 * out under another id. One new id that is refused as well is not followed by another until something was taken.
 */
export const whenReused = (
  code: string | null,
  origin: Spool.Waiting["origin"],
  isRenamed: boolean
): "concede" | "rename" | "set aside" | "ask again" => {
  const isRewound = code === "spool_rewound"
  if (isRewound && origin === "before") return "concede"
  if (!isRenamed && (isRewound || origin === "since")) return "rename"
  return isRewound ? "ask again" : "set aside"
}

export const make = Effect.fn("Reporter.make")(function* (options: ReporterOptions) {
  const spool = yield* Spool.Spool
  const server = yield* ControlPlane
  const asked = yield* Latch.make(false)
  const reportEvery = options.reportEvery ?? 10_000
  let planeVersion: () => string | null = () => null
  let sealings = 0
  let isRenamed = false

  const setAside = Effect.fnUntraced(function* (seq: number, detail: string) {
    yield* Effect.logError("the server holds another batch under this number: this one is set aside, not counted", {
      seq,
      detail
    })
    yield* spool.refuse(seq)
  })

  /** Answers true when there is another batch to send. */
  const settleReused = Effect.fnUntraced(function* ({ batch: { seq }, origin }: Spool.Waiting, refused: Refused) {
    switch (whenReused(refused.code, origin, isRenamed)) {
      case "concede":
        yield* Effect.logWarning("the server had this batch before the spool was brought back from a copy", { seq })
        yield* spool.concede(seq)
        return true
      case "rename":
        yield* spool.rename
        isRenamed = true
        yield* Effect.logWarning("the spool was brought back or copied: it goes on under a new id", {
          seq,
          spool: spool.id
        })
        return true
      case "set aside":
        yield* setAside(seq, refused.detail)
        return true
      case "ask again":
        return false
    }
  })

  const send = Effect.fnUntraced(function* ({ batch, lowest }: Spool.Waiting) {
    const moved = yield* spool.moved(batch.seq)
    const report = {
      batch,
      sentAt: (yield* Instant.now) - moved,
      lowest,
      agentVersion: options.agentVersion ?? "unknown",
      planeVersion: planeVersion()
    }
    const receipt = yield* server.report(report)
    if (receipt.spool !== batch.spool || receipt.seq !== batch.seq)
      return yield* new ControlPlaneError({ reason: new Unreachable({ detail: "the receipt names another batch" }) })
    yield* faultPoint("agent.answered")
    yield* spool.acknowledge(batch.seq)
    isRenamed = false
  })

  const deliver = Effect.fnUntraced(function* (waiting: Spool.Waiting) {
    let before: string | null = null
    for (let tries = 0; ; tries++) {
      const error = yield* send(waiting).pipe(
        Effect.as(null),
        Effect.catchTag("ControlPlaneError", (error) => Effect.succeed(error))
      )
      if (error === null) break
      const { reason } = error
      if (reason._tag === "Refused" && reason.status === 409 && (yield* settleReused(waiting, reason))) return
      before = yield* complain(error, before)
      yield* Effect.sleep(yield* backoff(error, tries))
    }
    if (before !== null) yield* Effect.logInfo("the server takes reports again", { seq: waiting.batch.seq })
  })

  const drain = Effect.gen(function* () {
    for (let waiting = yield* spool.next; waiting !== null; waiting = yield* spool.next) yield* deliver(waiting)
  })

  const flush = Effect.gen(function* () {
    yield* asked.close
    yield* drain
    yield* spool.seal(yield* Instant.now)
    sealings++
    yield* faultPoint("agent.sealed")
    yield* drain
  })

  const once = Effect.sleep(reportEvery).pipe(
    Effect.raceFirst(asked.await),
    Effect.andThen(flush),
    Effect.catch((error) => Effect.logError("the spool failed: trying again", { detail: error.reason.detail }))
  )

  return Reporter.of({
    ask: asked.open,
    sealings: () => sealings,
    flush,
    run: Effect.forever(once),
    name: (version) => {
      planeVersion = version
    }
  })
})

/** Reports what the spool of the context holds. */
export const layer = (options: ReporterOptions = {}): Layer.Layer<Reporter, never, Spool.Spool | ControlPlane> =>
  Layer.effect(Reporter, make(options))
