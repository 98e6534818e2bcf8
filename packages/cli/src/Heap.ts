/**
 * How much memory a daemon holds for garbage. Node takes young generations of 32 MiB and lets the old one grow to four
 * times what is alive, as if the machine were its own; a server that holds 30 MB ends at 400. Decision 31 has what
 * the bounds here save, and what they cost in CPU.
 *
 * The size of the young generation can be said on Node's command line only, so the process becomes Node anew, under its
 * own process id, before anything is loaded. Whoever has said a size, there or in `NODE_OPTIONS`, keeps it.
 */
import { setFlagsFromString } from "node:v8"

const daemons = new Set(["serve", "agent"])

const young = "--max-semi-space-size=16"

/** A heap of what is alive and half as much again, not of four times as much. */
const growth = "--heap-growing-percent=50"

/** glibc: one arena for all of Node's threads, and what was large is given back once it is free. */
const allocation = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_TRIM_THRESHOLD_: "131072",
  MALLOC_MMAP_THRESHOLD_: "131072"
}

/** Bounds the heap where the command line asks for a daemon: answers, or begins the process anew and never does. */
export const bound = (argv: ReadonlyArray<string>): void => {
  if (!argv.some((word) => daemons.has(word))) return
  const { env, execArgv, execPath } = process
  const isSaid = [...execArgv, env["NODE_OPTIONS"] ?? ""].some((option) => /semi[-_]space[-_]size/.test(option))
  try {
    if (!isSaid)
      process.execve?.(execPath, [execPath, young, ...execArgv, ...process.argv.slice(1)], { ...allocation, ...env })
  } catch {
    // Windows, and where Node may start no process: it serves as well, in more memory.
  }
  setFlagsFromString(growth)
}
