/** CPU time and memory of processes, from `/proc`. Linux only. */
import { readdirSync, readFileSync } from "node:fs"

interface Stat {
  readonly parent: number
  /** Ticks it used itself, and ticks of children that it waited for. */
  readonly own: number
  readonly waited: number
}

/** Milliseconds of a tick: `USER_HZ` is 100 on every Linux that Node runs on. */
const tick = 10

/** The name in brackets may hold anything, brackets too. */
const statOf = (pid: number): Stat | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    const at = (field: number) => Number(fields[field - 3])
    return { parent: at(4), own: at(14) + at(15), waited: at(16) + at(17) }
  } catch {
    return undefined
  }
}

/** Milliseconds of CPU that a process and all its children have used since they started, those that ended included. */
export const used = (root: number): number => {
  const stats = new Map<number, Stat>()
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (stat !== undefined) stats.set(Number(name), stat)
  }
  const found = stats.get(root)
  if (found === undefined) throw new Error(`there is no process ${root}`)
  const below = (pid: number): number =>
    [...stats].reduce((sum, [child, { own, parent, waited }]) => {
      return parent === pid ? sum + own + waited + below(child) : sum
    }, 0)
  return (found.own + found.waited + below(root)) * tick
}

const runOf = (pid: number): number | undefined => {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6
  } catch {
    return undefined
  }
}

/** What each of a process and its children that live has run, milliseconds to the microsecond. */
export const ran = (root: number): ReadonlyMap<number, number> => {
  const family = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid === root || statOf(pid)?.parent === root)
  return new Map(family.flatMap((pid) => [[pid, runOf(pid)] as const].filter(has)))
}

const has = (entry: readonly [number, number | undefined]): entry is readonly [number, number] => entry[1] !== undefined

/** What those that lived all the while have run between two looks, milliseconds. */
export const between = (before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number =>
  [...after].reduce((sum, [pid, ms]) => sum + (before.has(pid) ? ms - before.get(pid)! : 0), 0)

/** A line of the kernel's account of a process's memory, MB (10⁶ bytes). */
const memoryOf = (pid: number, name: "VmRSS" | "VmHWM"): number => {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  if (match === null) throw new Error(`process ${pid} has no resident memory`)
  return (Number(match[1]) * 1024) / 1e6
}

/** Resident memory of one process now, MB. */
export const resident = (pid: number): number => memoryOf(pid, "VmRSS")

/** The most that was ever resident of one process, MB. */
export const mostResident = (pid: number): number => memoryOf(pid, "VmHWM")
