/** Bounds the polls that wait at once, and ends them all when the server stops. */
import { Problem } from "@vpnmgr/api"
import { Context, Deferred, Effect, Layer } from "effect"
import { Policy } from "./Policy.ts"

const full = new Problem.TooMany({ detail: "Too many polls wait already", retry_after: 5 })

export class LongPolls extends Context.Service<
  LongPolls,
  {
    /** Runs a poll that may wait; null when the server stops meanwhile. */
    readonly wait: <A, E, R>(poll: Effect.Effect<A, E, R>) => Effect.Effect<A | null, E | Problem.TooMany, R>
    /** Ends every poll, and those to come at once. */
    readonly stop: Effect.Effect<void>
    readonly isStopping: Effect.Effect<boolean>
  }
>()("@vpnmgr/http-server/LongPolls") {
  static readonly layer = Layer.effect(
    LongPolls,
    Effect.gen(function* () {
      const { polls } = yield* Policy
      const stopping = yield* Deferred.make<null>()
      let waiting = 0
      const enter = Effect.suspend(() => {
        if (waiting >= polls) return Effect.fail(full)
        waiting++
        return Effect.void
      })
      const leave = Effect.sync(() => void waiting--)
      return LongPolls.of({
        wait: <A, E, R>(poll: Effect.Effect<A, E, R>) =>
          Effect.acquireUseRelease(
            enter,
            () => Effect.raceFirst(poll, Deferred.await(stopping)),
            () => leave
          ),
        stop: Effect.asVoid(Deferred.succeed(stopping, null)),
        isStopping: Deferred.isDone(stopping)
      })
    })
  )
}
