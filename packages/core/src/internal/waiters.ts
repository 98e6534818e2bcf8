/**
 * Polls that wait for a change. Each is woken when its node gets a revision; and one look for all of them together,
 * every 5 s while there are any, wakes those whose notification was lost.
 *
 * A thousand polls that each looked for themselves cost 200 statements a second and more of the server than the reports
 * of their nodes (`docs/decisions/0033-one-look-for-all-polls.md`).
 */
import { Cause, Deferred, Effect, Latch, Stream } from "effect"
import type { NodeStateStore, Waiting } from "../NodeStateStore.ts"

/** Polls that wait are looked after this often, milliseconds. */
const lookAgain = 5000

/** Makes the place where polls wait, for the life of the scope. */
export const make = Effect.fnUntraced(function* (store: NodeStateStore["Service"]) {
  const waiting = new Map<Deferred.Deferred<void>, Waiting>()
  const byNode = new Map<string, Set<Deferred.Deferred<void>>>()
  const anybody = Latch.makeUnsafe(false)

  const enter = (waiter: Waiting) =>
    Effect.sync(() => {
      const change = Deferred.makeUnsafe<void>()
      waiting.set(change, waiter)
      anybody.openUnsafe()
      byNode.set(waiter.nodeId, (byNode.get(waiter.nodeId) ?? new Set()).add(change))
      return change
    })

  const leave = ({ nodeId }: Waiting, change: Deferred.Deferred<void>) =>
    Effect.sync(() => {
      waiting.delete(change)
      if (waiting.size === 0) anybody.closeUnsafe()
      const ofNode = byNode.get(nodeId)
      ofNode?.delete(change)
      if (ofNode?.size === 0) byNode.delete(nodeId)
    })

  const wake = (changes: Iterable<Deferred.Deferred<void>>) =>
    Effect.forEach([...changes], (change) => Deferred.succeed(change, undefined), { discard: true })

  /** A store that cannot be asked now is asked again; polls that begin meanwhile are told so. */
  const look = Effect.gen(function* () {
    if (waiting.size === 0) return
    const all = [...waiting]
    const places = yield* store.outdated(all.map(([, waiter]) => waiter))
    yield* wake(places.map((place) => all[place]![0]))
  }).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.logWarning("polls that wait could not be looked after; they are again in 5 s", cause)
    )
  )

  yield* store.assigned.pipe(
    Stream.runForEach((nodeId) => wake(byNode.get(nodeId) ?? [])),
    Effect.forkScoped
  )
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(anybody.await, Effect.andThen(Effect.sleep(lookAgain), look))))

  return {
    /** Runs something with what ends when the node of the poll has changed since this began. */
    within: <A, E, R>(waiter: Waiting, use: (change: Effect.Effect<void>) => Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        enter(waiter),
        (change) => use(Deferred.await(change)),
        (change) => leave(waiter, change)
      )
  }
})
