/**
 * Asks once for what many ask for at the same moment. A question is put at once while fewer than `together` are under
 * way; who comes meanwhile waits for the next one and is asked for with everybody else who came. So a lone question waits
 * for nobody, and a crowd costs a question for each of its groups (decision 37 has the measurement).
 */
import { Effect, Exit } from "effect"

export interface Options {
  /** Questions under way at once. */
  readonly together: number
  /** Keys in one question. */
  readonly most: number
}

/** Asks for one key; `answer` is called once. */
export type Ask<K, V, E> = (key: K, answer: (exit: Exit.Exit<V, E>) => void) => void

interface Waiting<K, V, E> {
  readonly key: K
  readonly answer: (exit: Exit.Exit<V, E>) => void
}

/** Makes the asking of one key out of the asking of many, which answers in the order of its keys. */
export const make = <K, V, E, R>(
  ask: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<V>, E, R>,
  { most, together }: Options
): Effect.Effect<Ask<K, V, E>, never, R> =>
  Effect.map(Effect.context<R>(), (context) => {
    const run = Effect.runForkWith(context)
    let waiting: Array<Waiting<K, V, E>> = []
    let [underWay, isPlanned] = [0, false]

    const put = (group: ReadonlyArray<Waiting<K, V, E>>) => {
      underWay++
      run(ask(group.map(({ key }) => key))).addObserver((exit) => {
        underWay--
        plan()
        for (const [index, { answer }] of group.entries())
          answer(exit._tag === "Success" ? Exit.succeed(exit.value[index]!) : Exit.failCause(exit.cause))
      })
    }

    const flush = () => {
      isPlanned = false
      for (let room = together - underWay; room > 0 && waiting.length > 0; room--) {
        const group = waiting.slice(0, most)
        waiting = waiting.slice(most)
        put(group)
      }
    }

    /** At the end of the event loop's turn, so that what arrived in it goes into one question. */
    const plan = () => {
      if (isPlanned || waiting.length === 0 || underWay >= together) return
      isPlanned = true
      run(Effect.andThen(Effect.yieldNow, Effect.sync(flush)))
    }

    return (key, answer) => {
      waiting.push({ key, answer })
      plan()
    }
  })
