/** What steps expect, said so that a failure needs no debugger; and waiting for what comes within a bounded time. */
import { setTimeout as sleep } from "node:timers/promises"
import { Unexpected } from "./Report.ts"

type Value = string | number | bigint | boolean | undefined | null

/** Both are the same. */
export const same = (what: string, actual: Value, expected: Value): void => {
  if (actual !== expected) throw new Unexpected(`${what}: expected ${expected}, got ${actual}`)
}

/** The figure is no larger than the bound. */
export const atMost = (what: string, actual: number | bigint, bound: number | bigint): void => {
  if (actual > bound) throw new Unexpected(`${what}: expected at most ${bound}, got ${actual}`)
}

/** The figure is no smaller than the bound. */
export const atLeast = (what: string, actual: number | bigint, bound: number | bigint): void => {
  if (actual < bound) throw new Unexpected(`${what}: expected at least ${bound}, got ${actual}`)
}

/** It holds. */
export const holds = (what: string, condition: boolean): void => {
  if (!condition) throw new Unexpected(`${what}: it does not hold`)
}

/** It is there; answers it. */
export const present = <A>(what: string, value: A | undefined | null): A => {
  if (value === undefined || value === null) throw new Unexpected(`${what}: there is none`)
  return value
}

/** Asks until the answer is defined, and answers it; fails with what was last seen when the time is over. */
export const soon = async <A>(
  what: string,
  timeout: number,
  ask: () => Promise<A | undefined> | A | undefined,
  seen: () => Value = () => "nothing",
  pause = 20
): Promise<A> => {
  for (const until = Date.now() + timeout; ; await sleep(pause)) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > until) throw new Unexpected(`${what}: not within ${timeout} ms, last seen ${seen()}`)
  }
}

/** Runs it and answers what it answered with the milliseconds it took. */
export const timed = async <A>(run: () => Promise<A>): Promise<readonly [answer: A, took: number]> => {
  const began = performance.now()
  const answer = await run()
  return [answer, Math.round(performance.now() - began)]
}
