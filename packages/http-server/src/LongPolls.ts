/**
 * Bounds the polls at once, of one node and in all, and ends them all when the server stops. One that does not wait is
 * counted, too: the door counts no poll, and a whole state is the largest answer there is.
 */
import { Problem } from "@vpnmgr/api"
import { Context, Deferred, Effect, Layer } from "effect"
import { Policy } from "./Policy.ts"

const full = new Problem.TooMany({ detail: "Too many polls wait already", retry_after: 5 })
const crowded = new Problem.TooMany({ detail: "Too many polls of this node wait already", retry_after: 5 })

export class LongPolls extends Context.Service<
  LongPolls,
  {
    /** Runs a poll that may wait; null when the server stops meanwhile. */
    readonly wait: <A, E, R>(
      nodeId: string,
      poll: Effect.Effect<A, E, R>
    ) => Effect.Effect<A | null, E | Problem.TooMany, R>
    /** Ends every poll, and those to come at once. */
    readonly stop: Effect.Effect<void>
    readonly isStopping: Effect.Effect<boolean>
  }
>()("@vpnmgr/http-server/LongPolls") {
  static readonly layer = Layer.effect(
    LongPolls,
    Effect.gen(function* () {
      const { polls, pollsOfNode } = yield* Policy
      const stopping = yield* Deferred.make<null>()
      const waiting = new Map<string, number>()
      let all = 0
      const enter = (nodeId: string) =>
        Effect.suspend(() => {
          const own = waiting.get(nodeId) ?? 0
          if (all >= polls) return Effect.fail(full)
          if (own >= pollsOfNode) return Effect.fail(crowded)
          waiting.set(nodeId, own + 1)
          all++
          return Effect.void
        })
      const leave = (nodeId: string) =>
        Effect.sync(() => {
          const own = waiting.get(nodeId)! - 1
          if (own === 0) waiting.delete(nodeId)
          else waiting.set(nodeId, own)
          all--
        })
      return LongPolls.of({
        wait: <A, E, R>(nodeId: string, poll: Effect.Effect<A, E, R>) =>
          Effect.acquireUseRelease(
            enter(nodeId),
            () => Effect.raceFirst(poll, Deferred.await(stopping)),
            () => leave(nodeId)
          ),
        stop: Effect.asVoid(Deferred.succeed(stopping, null)),
        isStopping: Deferred.isDone(stopping)
      })
    })
  )
}
