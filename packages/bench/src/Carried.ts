/**
 * What one machine carries: the pace is raised until reports are no longer answered before their agent's next one is
 * due, or the server's core is full. In two shapes: many nodes with small reports, and fewer with large ones.
 */
import type * as Fleet from "./Fleet.ts"
import { short } from "./Figures.ts"

export interface Carried {
  readonly agents: number
  readonly entries: number
  /** Every pace that was tried, the slowest first; the last one is the first that was not carried, if one was. */
  readonly steps: ReadonlyArray<Fleet.Measured>
  /** The fastest pace that was carried. */
  readonly best: Fleet.Measured | undefined
}

/** How much faster each step is. */
const factor = Math.SQRT2

/** How many times as many entries the large reports have. */
export const wider = 20

const mostSteps = 12

/** Every report is taken in its time, and the server's core is not full. */
export const isCarried = ({ overdue, serverShare, wrong }: Fleet.Measured): boolean =>
  overdue === 0 && wrong === null && serverShare < 0.95

const climb = async ({ measure }: Fleet.Fleet, from: Fleet.Pace): Promise<Carried> => {
  const steps: Array<Fleet.Measured> = []
  for (let every = from.every; steps.length < mostSteps; every /= factor) {
    const measured = await measure({ ...from, every })
    steps.push(measured)
    if (!isCarried(measured)) break
  }
  return { agents: from.agents, entries: from.entries, steps, best: steps.findLast(isCarried) }
}

/** Finds it, in both shapes. */
export const find = async (
  fleet: Fleet.Fleet,
  { entries, every, seconds, sizes }: { readonly sizes: ReadonlyArray<number> } & Omit<Fleet.Pace, "agents">
): Promise<ReadonlyArray<Carried>> => {
  const [wideNodes, most] = [sizes.at(-2)!, sizes.at(-1)!]
  const small = await climb(fleet, { agents: most, entries, every, seconds })
  const large = await climb(fleet, { agents: wideNodes, skip: most, entries: entries * wider, every, seconds })
  return [small, large]
}

/** Says it in a line. */
export const words = ({ agents, best, entries, steps }: Carried): string => {
  const last = steps.at(-1)!
  const pace = (of: Fleet.Measured) =>
    `${short(of.perSecond)} entries/s (every ${short(of.every / 1000)} s; server ${short(of.serverShare * 100)} %, PostgreSQL ${short(of.postgres / of.seconds / 10)} % of a core, p99 ${short(of.p99)} ms, ${of.overdue} late)`
  const limit = isCarried(last) ? "" : `; not carried: ${pace(last)}`
  return `${agents} nodes × ${entries} entries: carried ${best === undefined ? "nothing" : pace(best)}${limit}`
}
