/** What is killed, and when: a list of blows drawn from a seed, so that a run that failed can be run again. */

/** Where a process is killed. A point is a place in the program that a test build names. */
export type Blow =
  /** SIGKILL from outside, at any moment. */
  | "agent"
  | "server"
  | "postgres"
  | "sing-box"
  /** No kill: a planned restart of every sing-box, whose last counters must be booked. */
  | "refill"
  /** Between the spool's commit and the sending. */
  | "agent.booked"
  | "agent.sealed"
  /** Between the server's answer and its note in the spool. */
  | "agent.answered"
  /** Between receiving and commit. */
  | "server.recorded"
  /** Between commit and answer. */
  | "server.committed"

/** How often each stands in thirty rounds: every place between two steps at least three times. */
const shares: Readonly<Partial<Record<Blow, number>>> = {
  agent: 4,
  server: 3,
  postgres: 4,
  "sing-box": 4,
  "agent.booked": 3,
  "agent.sealed": 3,
  "agent.answered": 3,
  "server.recorded": 3,
  "server.committed": 3
}

/**
 * What shows best that a rule is broken. Of a planned restart nothing may be missing, so whatever is subtracted across
 * two runs of the counters shows.
 */
export const against: Readonly<Record<string, ReadonlyArray<Blow>>> = {
  idempotency: ["server.committed", "server.committed", "server.committed", "server.committed"],
  epoch: ["refill", "refill", "refill"],
  spool: ["agent", "agent.booked", "agent.booked", "agent"]
}

/** A stream of numbers in [0, 1) that a seed determines (mulberry32). */
export const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `rounds` blows in a random order; every thirty of them hold each blow as often as its share says. */
export const draw = (rounds: number, random: () => number): ReadonlyArray<Blow> => {
  const deck = Object.entries(shares).flatMap(([blow, times]) => Array<Blow>(times).fill(blow as Blow))
  const drawn: Array<Blow> = []
  while (drawn.length < rounds) {
    const shuffled = deck
      .map((blow) => ({ blow, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ blow }) => blow)
    drawn.push(...shuffled)
  }
  return drawn.slice(0, rounds)
}
