/** Counts what agents saw, until it is taken. */
import type { Figures, Told, Trouble } from "./Plan.ts"

export interface Tally {
  readonly answered: (what: string, code: string | undefined) => void
  readonly broke: (what: string, kind: string) => void
  readonly reported: (milliseconds: number) => void
  readonly acknowledged: (entries: number) => void
  readonly overdue: () => void
  readonly troubled: (kind: keyof Trouble) => void
  readonly told: (told: Told) => void
  /** Takes what was counted since the last taking. */
  readonly take: (now: Pick<Figures, "polling" | "informed">) => Figures
}

/** States remembered between two takings: as many as somebody who looks now and then can want. */
const mostTold = 100_000

const raise = (counts: Record<string, number>, name: string) => {
  counts[name] = (counts[name] ?? 0) + 1
}

const empty = () => ({
  began: performance.now(),
  cpu: process.cpuUsage(),
  answers: {} as Record<string, number>,
  problems: {} as Record<string, number>,
  broken: {} as Record<string, number>,
  reports: [] as Array<number>,
  entries: 0,
  overdue: 0,
  trouble: { twice: 0, swapped: 0, cut: 0 },
  told: [] as Array<Told>
})

/** Begins to count. */
export const make = (): Tally => {
  let now = empty()
  return {
    answered: (what, code) => {
      raise(now.answers, what)
      if (code !== undefined) raise(now.problems, code)
    },
    broke: (what, kind) => raise(now.broken, `${what} ${kind}`),
    reported: (milliseconds) => void now.reports.push(milliseconds),
    acknowledged: (entries) => {
      now.entries += entries
    },
    overdue: () => {
      now.overdue++
    },
    troubled: (kind) => {
      now.trouble[kind]++
    },
    told: (told) => {
      if (now.told.length < mostTold) now.told.push(told)
    },
    take: (standing) => {
      const { began, cpu, ...counts } = now
      const { system, user } = process.cpuUsage(cpu)
      now = empty()
      return { ...counts, ...standing, seconds: (performance.now() - began) / 1000, cpu: (system + user) / 1000 }
    }
  }
}
