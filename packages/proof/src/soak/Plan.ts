/** What is done to everything, and in which order: drawn from a seed, so that a run that failed can be run again. */

/** In the words that a run prints and `--faults` takes. */
export const faults = [
  "postgres fast",
  "postgres immediate",
  "postgres connections ended",
  "server killed",
  "server frozen",
  "agent killed",
  "cut before postgres",
  "cut before agents",
  "cut before people",
  "clock of agents",
  "clock of the node",
  "clock of a server",
  "full: tables",
  "full: log",
  "full: server",
  "full: embedded",
  "full: node"
] as const
export type Fault = (typeof faults)[number]

const shuffled = (of: ReadonlyArray<Fault>, random: () => number): ReadonlyArray<Fault> =>
  of
    .map((fault) => ({ fault, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault)

/** Faults without an end: each kind once in a random order, then each once again. */
export const draw = function* (of: ReadonlyArray<Fault>, random: () => number): Generator<Fault, never> {
  for (;;) yield* shuffled(of, random)
}

/** Reads a list such as `full: node,cut before agents`; what nobody knows is named. */
export const parse = (text: string): ReadonlyArray<Fault> =>
  text.split(",").map((name) => {
    const found = faults.find((fault) => fault === name.trim())
    if (found === undefined) throw new Error(`there is no fault "${name}": ${faults.join(", ")}`)
    return found
  })
