/**
 * How long the machine has been running: the time that nobody sets. Beside it, a clock that was set is seen.
 *
 * **Gotchas** The default stands still while a machine sleeps, which then looks as if its clock had been set. Where the
 * operating system says how long it has been running, sleep included, as `os.uptime` does on Linux, provide that.
 */
import { Clock, Context, Effect } from "effect"

/** Milliseconds since some moment that stays the same for the life of the process. */
export const Uptime: Context.Reference<Effect.Effect<number>> = Context.Reference("@vpnmgr/node-agent/Uptime", {
  defaultValue: () => Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))
})
