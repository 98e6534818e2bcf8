/** How a daemon ends: the first SIGTERM or SIGINT stops it gracefully, a second one at once. */
import { Effect } from "effect"

const names = ["SIGINT", "SIGTERM"] as const

/** Waits for the first signal. From then on a second one ends the process without further ado. */
const first = Effect.callback<void>((resume) => {
  let seen = false
  const stop = (name: NodeJS.Signals) => {
    if (seen) process.exit(name === "SIGINT" ? 130 : 143)
    seen = true
    resume(Effect.void)
  }
  for (const name of names) process.on(name, stop)
})

/** Runs until a signal or its own failure; after a signal it succeeds once everything has stopped. */
export const untilSignal = <A, E, R>(daemon: Effect.Effect<A, E, R>): Effect.Effect<void, E, R> =>
  Effect.asVoid(Effect.raceFirst(daemon, first))
