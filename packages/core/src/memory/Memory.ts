/**
 * One set of tables, its transactions and its notifications. Transactions run one at a time; whoever reads outside of
 * one sees what was last committed, and waits for nobody.
 */
import { Context, Effect, Exit, Layer, PubSub, Semaphore } from "effect"
import { StoreError } from "../Transaction.ts"
import type { Changed } from "../NodeStateStore.ts"
import type { Tables } from "./Tables.ts"
import { empty } from "./Tables.ts"

interface Draft {
  readonly memory: object
  readonly tables: Tables
  hasMarked: boolean
  readonly assigned: Array<string>
  readonly changed: Array<Changed>
}

const Current = Context.Reference<Draft | null>("@vpnmgr/core/memory/Draft", { defaultValue: () => null })

/** Nothing is written before a commit; what is announced, after. */
export interface Announcements {
  readonly marked: () => void
  readonly assigned: (nodeId: string) => void
  readonly changed: (what: Changed) => void
}

export class Memory extends Context.Service<
  Memory,
  {
    readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    readonly read: <A>(f: (tables: Readonly<Tables>) => A) => Effect.Effect<A>
    /** A `StoreError` that `f` answers is the failure; it has written nothing then. */
    readonly write: <A>(
      f: (tables: Tables, announce: Announcements) => A
    ) => Effect.Effect<Exclude<A, StoreError>, StoreError>
    readonly dirtied: PubSub.PubSub<void>
    readonly assigned: PubSub.PubSub<string>
    /** Whoever is told what changed, at once. */
    readonly hearers: Set<(what: Changed) => void>
  }
>()("@vpnmgr/core/memory/Memory") {
  static readonly layer = Layer.effect(
    Memory,
    Effect.gen(function* () {
      const memory = {}
      const turn = yield* Semaphore.make(1)
      const dirtied = yield* PubSub.unbounded<void>()
      const assigned = yield* PubSub.unbounded<string>()
      const hearers = new Set<(what: Changed) => void>()
      let committed = empty()

      const commit = (draft: Draft) =>
        Effect.suspend(() => {
          committed = draft.tables
          for (const hear of hearers) draft.changed.forEach(hear)
          return Effect.andThen(
            draft.hasMarked ? PubSub.publish(dirtied, undefined) : Effect.void,
            PubSub.publishAll(assigned, draft.assigned)
          )
        })

      const mine = Effect.map(Current, (draft) => (draft?.memory === memory ? draft : null))

      const begin = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        turn.withPermit(
          Effect.suspend(() => {
            const draft: Draft = { memory, tables: { ...committed }, hasMarked: false, assigned: [], changed: [] }
            return effect.pipe(
              Effect.provideService(Current, draft),
              Effect.onExit((exit) => (Exit.isSuccess(exit) ? commit(draft) : Effect.void))
            )
          })
        )

      const run = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
        Effect.flatMap(mine, (draft) => (draft === null ? begin(effect) : effect))

      const write = <A>(f: (tables: Tables, announce: Announcements) => A) =>
        run(
          Effect.flatMap(Current, (draft) => {
            const answer = f(draft!.tables, {
              marked: () => void (draft!.hasMarked = true),
              assigned: (nodeId) => void draft!.assigned.push(nodeId),
              changed: (what) => void draft!.changed.push(what)
            })
            return answer instanceof StoreError ? Effect.fail(answer) : Effect.succeed(answer as Exclude<A, StoreError>)
          })
        )

      return Memory.of({
        run,
        read: (f) => Effect.map(mine, (draft) => f(draft?.tables ?? committed)),
        write,
        dirtied,
        assigned,
        hearers
      })
    })
  )
}
