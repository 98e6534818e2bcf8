import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import * as Gather from "../src/internal/gather.ts"

/** A store that answers when it is told to. */
const making = Effect.fnUntraced(function* (options: Gather.Options) {
  const questions: Array<ReadonlyArray<string>> = []
  const gates: Array<Deferred.Deferred<void, string>> = []
  const look = yield* Gather.make(
    (keys: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void, string>()
        questions.push(keys)
        gates.push(gate)
        yield* Deferred.await(gate)
        return keys.map((key) => `${key}!`)
      }),
    options
  )
  const ask = (key: string) => Effect.callback<string, string>((resume) => look(key, resume))
  return { ask, gates, questions }
})

/** Waits until so many questions were put, and then whether there are more. */
const put = (questions: ReadonlyArray<unknown>, count: number) =>
  Effect.gen(function* () {
    while (questions.length < count) yield* Effect.sleep(1)
    yield* Effect.sleep(20)
    assert.strictEqual(questions.length, count)
  })

describe("Gather", () => {
  it.live("asks at once for who came together, and for who came meanwhile when there is room again", () =>
    Effect.gen(function* () {
      const { ask, gates, questions } = yield* making({ together: 1, most: 3 })
      const first = yield* Effect.forkChild(Effect.all([ask("a"), ask("b")], { concurrency: "unbounded" }))
      yield* put(questions, 1)
      assert.deepStrictEqual(questions, [["a", "b"]])
      const rest = yield* Effect.forkChild(Effect.all(["c", "d", "e", "f", "c"].map(ask), { concurrency: "unbounded" }))
      yield* put(questions, 1)
      yield* Deferred.succeed(gates[0]!, undefined)
      yield* put(questions, 2)
      assert.deepStrictEqual(questions[1], ["c", "d", "e"])
      yield* Deferred.succeed(gates[1]!, undefined)
      yield* put(questions, 3)
      yield* Deferred.succeed(gates[2]!, undefined)
      assert.deepStrictEqual(yield* Fiber.join(first), ["a!", "b!"])
      assert.deepStrictEqual(yield* Fiber.join(rest), ["c!", "d!", "e!", "f!", "c!"])
    })
  )

  it.live("tells everybody in a question what became of it, and goes on with the next", () =>
    Effect.gen(function* () {
      const { ask, gates, questions } = yield* making({ together: 2, most: 2 })
      const asked = yield* Effect.forkChild(
        Effect.all(
          ["a", "b", "c", "d", "e"].map((key) => Effect.exit(ask(key))),
          { concurrency: "unbounded" }
        )
      )
      yield* put(questions, 2)
      assert.deepStrictEqual(questions.flat(), ["a", "b", "c", "d"])
      yield* Deferred.fail(gates[0]!, "away")
      yield* Deferred.die(gates[1]!, "broken")
      yield* put(questions, 3)
      yield* Deferred.succeed(gates[2]!, undefined)
      const exits = yield* Fiber.join(asked)
      assert.deepStrictEqual(exits.slice(0, 2), [Exit.fail("away"), Exit.fail("away")])
      assert.deepStrictEqual(exits.slice(2, 4), [Exit.die("broken"), Exit.die("broken")])
      assert.deepStrictEqual(exits[4], Exit.succeed("e!"))
    })
  )
})
