/** What is done to a living run without ending it: whom it lets pass, whom it cuts, and how it comes to rest. */
import { SingBoxServer, type DataPlane } from "@vpnmgr/core"
import { Effect } from "effect"
import * as ControlApi from "./ControlApi.ts"
import { type Failure, unreachable } from "./Failure.ts"
import type { Run } from "./Run.ts"
import * as StatsApi from "./StatsApi.ts"

const concurrency = 32

/** How long connections that were closed may still be listed, ms. */
const patience = 10_000

/** Between two looks at what is still open, ms. */
const pause = 20

/** How long counters must stand still: sing-box counts a write after it, when the client may have it already. ms. */
const stillness = 100

const wait = (ms: number) => Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, ms)))

const wantedBy = (open: ReadonlySet<string>, name: string): string =>
  open.has(name) ? SingBoxServer.outboundTag(SingBoxServer.parsePair(name)!.credential) : SingBoxServer.blockTag

/** The pairs whose selector has chosen otherwise than it should. */
export const differing = (run: Run, open: ReadonlySet<string>): Effect.Effect<ReadonlyArray<string>, Failure> =>
  ControlApi.choices(run).pipe(
    Effect.map((choices) => Object.keys(run.roster.pairs).filter((name) => choices.get(name) !== wantedBy(open, name)))
  )

/** Moves selectors to where they should be. */
export const move = (run: Run, names: ReadonlyArray<string>, open: ReadonlySet<string>): Effect.Effect<void, Failure> =>
  Effect.forEach(names, (name) => ControlApi.choose(run, name, wantedBy(open, name)), { concurrency, discard: true })

const closeWhile = Effect.fnUntraced(function* (run: Run, isWrong: (connection: ControlApi.Connection) => boolean) {
  const until = Date.now() + patience
  while (true) {
    const wrong = (yield* ControlApi.connections(run)).filter(isWrong)
    if (wrong.length === 0) return
    if (Date.now() > until) return yield* Effect.fail(unreachable(`${wrong.length} connections do not close`))
    yield* Effect.forEach(wrong, ({ id }) => ControlApi.close(run, id), { concurrency, discard: true })
    yield* wait(pause)
  }
})

/** Ends every connection of a pair that may not pass, until none is listed: a moved selector leaves them open on 1.12. */
export const cut = (run: Run, open: ReadonlySet<string>): Effect.Effect<void, Failure> =>
  closeWhile(run, ({ chains }) => chains.some((tag) => SingBoxServer.parsePair(tag) !== undefined && !open.has(tag)))

/** Lets in again whom the selectors let in. */
export const resume = (run: Run): Effect.Effect<void, Failure> => ControlApi.setMode(run, SingBoxServer.servingMode)

const isSame = (a: ReadonlyArray<DataPlane.Counter>, b: ReadonlyArray<DataPlane.Counter>): boolean => {
  const key = (counters: ReadonlyArray<DataPlane.Counter>) =>
    counters
      .map(({ credential, down, inbound, up }) => `${credential}.${inbound}:${up}:${down}`)
      .sort()
      .join()
  return key(a) === key(b)
}

/**
 * Brings a run to rest: nobody new is let in, every connection is closed, and the counters are read until two readings
 * are the same. Answers them: nothing will be added.
 */
export const drain = Effect.fnUntraced(function* (
  run: Run,
  read: Effect.Effect<DataPlane.Counters, Failure>
): Effect.fn.Return<DataPlane.Counters, Failure> {
  yield* ControlApi.setMode(run, SingBoxServer.drainMode)
  yield* ControlApi.closeAll(run)
  yield* closeWhile(run, () => true)
  let before = yield* StatsApi.query(run.stats)
  while (true) {
    yield* wait(stillness)
    const after = yield* read
    if (isSame(before, after.counters)) return after
    yield* closeWhile(run, () => true)
    before = after.counters
  }
})
