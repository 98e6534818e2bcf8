/**
 * What servers and agents logged. A fault may be told of, once and again; a request that nobody foresaw, a job that met
 * a defect, and whatever is no log line at all (a stack that ended a process) may not be there.
 */
import { readFile } from "node:fs/promises"

export interface Logs {
  /** Lines that are no warnings, by message. */
  readonly errors: ReadonlyMap<string, number>
  /** Lines that may not be there. */
  readonly unhandled: ReadonlyArray<string>
}

interface Line {
  readonly message?: unknown
  readonly level?: string
  readonly cause?: unknown
}

/** What a program says at its start, in words. */
const said =
  /^$|^fault-point |^Debugger (listening|attached|ending)|^For help, see: |^Waiting for the debugger|^(API|reference|data|key) {2}|^There is no user yet|^It makes the first|^ {2}\S|^While this runs|^vpnmgr( agent)? is r/

/** What a store that is away looks like in a cause. */
const isOfTheStore = /StoreError|StoreUnavailable|TooContended|Undecided/

const parse = (line: string): Line | undefined => {
  try {
    return JSON.parse(line) as Line
  } catch {
    return undefined
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value ?? ""))

const isDefect = (text: string): boolean => / at .*\(?(file:|node:|\/).*:\d+:\d+/.test(text) && !isOfTheStore.test(text)

/** Reads log files; a line that a full disk cut short is the last before one that is whole, and not judged. */
export const read = async (files: ReadonlyArray<string>, mayBeCut: boolean): Promise<Logs> => {
  const errors = new Map<string, number>()
  const unhandled: Array<string> = []
  for (const file of files) {
    for (const line of (await readFile(file, "utf8")).split("\n")) {
      const parsed = parse(line)
      if (parsed === undefined) {
        const isCut = mayBeCut && line.includes('{"')
        if (!said.test(line) && !isCut) unhandled.push(line)
        continue
      }
      if (!/^(ERROR|FATAL)$/i.test(parsed.level ?? "")) continue
      const [message = ""] = [parsed.message].flat().map(textOf)
      errors.set(message, (errors.get(message) ?? 0) + 1)
      if (message === "a request failed" || isDefect(line)) unhandled.push(line)
    }
  }
  return { errors, unhandled }
}
