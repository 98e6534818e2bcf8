/** Compares what was counted with what the planes counted, subscriber by subscriber. */
import type { Arena } from "../Arena.ts"
import * as Counters from "../Counters.ts"
import * as Expect from "../Expect.ts"
import type { Loaded } from "./Load.ts"
import type { Truth } from "./Truth.ts"

export interface Sum {
  readonly loaded: Loaded
  /** Payload bytes, both directions. */
  readonly truth: bigint
  readonly usage: bigint
  /** The most that may be missing. */
  readonly excusable: bigint
}

const both = ({ down, up }: { readonly up: bigint; readonly down: bigint }): bigint => up + down

const isOf = (credential: string) => (name: string) => name.startsWith(`${credential}.`)

/** True when nothing is missing but what may be, and nothing is there twice. */
export const isRight = ({ excusable, truth, usage }: Sum): boolean => truth - usage >= 0n && truth - usage <= excusable

/** Reads all sums now. */
export const read = (
  arena: Arena,
  truths: ReadonlyArray<Truth>,
  loads: ReadonlyArray<Loaded>
): Promise<ReadonlyArray<Sum>> =>
  Promise.all(
    loads.map(async (loaded) => {
      const truth = truths[loaded.node]!
      return {
        loaded,
        truth: both(Counters.sum(truth.total(), isOf(loaded.credential))),
        excusable: both(Counters.sum(truth.excusable(), isOf(loaded.credential))),
        usage: both(await arena.api.usage(loaded.subscriptionId))
      }
    })
  )

/** An agent tries again this late at the latest, milliseconds: ten seconds, and a quarter of them at random. */
const longestBackoff = 12_500

/** Waits until usage has stood still for longer than any agent waits between two tries, then answers the sums. */
export const settled = async (
  arena: Arena,
  truths: ReadonlyArray<Truth>,
  loads: ReadonlyArray<Loaded>
): Promise<ReadonlyArray<Sum>> => {
  let before = ""
  let since = Date.now()
  return Expect.soon(
    "usage stands still",
    120_000,
    async () => {
      const sums = await read(arena, truths, loads)
      const text = sums.map(({ usage }) => usage).join()
      if (text !== before) [before, since] = [text, Date.now()]
      return Date.now() - since > longestBackoff + 1500 ? sums : undefined
    },
    () => before,
    200
  )
}
