/** What a command leaves behind for scripts. The numbers are part of the interface: `docs/guide/cli.md` lists them. */
import type { Failed } from "./Failed.ts"

/** Every exit code with its meaning. */
export const meanings = {
  0: "done",
  1: "failed, and why is on stderr",
  2: "this is not a command: an unknown name, a flag that does not fit, a value that cannot be read",
  3: "there is no such thing",
  4: "not signed in, or not allowed",
  5: "in the way of what is there: a name is taken, or it changed since it was read",
  6: "not now: the server does not answer, is overloaded, or wants to be asked later",
  130: "interrupted"
} as const

/** One of them. */
export type ExitCode = keyof typeof meanings

const byStatus: Readonly<Record<number, ExitCode>> = { 401: 4, 403: 4, 404: 3, 409: 5, 412: 5, 429: 6, 503: 6 }

/** The exit code of a failure. */
export const of = ({ status }: Failed): ExitCode => (status === undefined ? 1 : (byStatus[status] ?? 1))
