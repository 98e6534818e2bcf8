/** Starts and stops a whole agent over the fakes. */
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Agent from "../src/Agent.ts"
import type { FakePlane, FakeServer } from "./Fakes.ts"

export const start = (plane: FakePlane, server: FakeServer, at: string, more: Partial<Agent.AgentOptions> = {}) =>
  Agent.run.pipe(
    Effect.provide(
      Agent.layer({ directory: at, ...more }).pipe(Layer.provide(Layer.mergeAll(plane.layer, server.layer)))
    ),
    Effect.forkChild({ startImmediately: true })
  )

/** Stops the agent and lets its last attempts run out. */
export const stop = Effect.fnUntraced(function* (agent: Fiber.Fiber<unknown, unknown>) {
  const stopping = yield* Effect.forkChild(Fiber.interrupt(agent), { startImmediately: true })
  yield* TestClock.adjust("5 seconds")
  yield* Fiber.join(stopping)
})

export const slow = { readEvery: 60_000, reportEvery: 60_000 }
