import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Attempts from "../src/Attempts.ts"
import * as Middlewares from "../src/Middlewares.ts"

describe("Attempts", () => {
  it("wait longer and longer, up to a minute", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 4, 5, 8, 9, 50].map(Attempts.delay),
      [0, 0, 1000, 2000, 4000, 32_000, 60_000, 60_000]
    )
  })

  it.effect("are free again after the wait, and after a success", () =>
    Effect.gen(function* () {
      const attempts = Attempts.make(10)
      for (let n = 0; n < 3; n++) yield* attempts.begin("ada")
      assert.strictEqual((yield* Effect.flip(attempts.begin("ada"))).retry_after, 1)
      yield* attempts.begin("bob")
      yield* TestClock.adjust("1 second")
      yield* attempts.begin("ada")
      assert.strictEqual((yield* Effect.flip(attempts.begin("ada"))).retry_after, 2)
      yield* attempts.succeeded("ada")
      yield* attempts.begin("ada")
    })
  )

  it.effect("forget the name that failed longest ago when there are too many", () =>
    Effect.gen(function* () {
      const attempts = Attempts.make(2)
      for (let n = 0; n < 3; n++) yield* attempts.begin("ada")
      yield* Effect.flip(attempts.begin("ada"))
      yield* attempts.begin("bob")
      yield* attempts.begin("eve")
      yield* attempts.begin("ada")
    })
  )
})

describe("The protocol's version", () => {
  it("may differ by one minor, and else says which side to upgrade", () => {
    const said = (named: string | undefined) => Middlewares.checkProtocol(named)?.detail ?? "fine"
    assert.deepStrictEqual(["1.0", "1.1"].map(said), ["fine", "fine"])
    for (const named of ["0.9", "0.0"]) assert.include(said(named), "upgrade the agent")
    for (const named of ["1.2", "2.0", "10.0"]) assert.include(said(named), "upgrade the server")
    for (const named of [undefined, "", "1", "one.zero"]) assert.include(said(named), "Expected the header")
  })
})
