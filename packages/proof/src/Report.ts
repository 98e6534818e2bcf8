/**
 * What a run says: one line per step with its figure, or with what was expected and what came instead; in the end how
 * many passed. A step that fails ends its sequence, for what follows builds upon it; other sequences go on.
 */

/** A step was not what it should be; said already, ends the sequence. */
class Abandoned extends Error {}

/** What a step expected did not hold. */
export class Unexpected extends Error {}

export interface Report {
  /** Runs a step; what it answers is its figure. Whatever it throws fails it. */
  readonly step: <A extends string>(name: string, run: () => Promise<A> | A) => Promise<A>
  /** Runs steps that build upon one another; a failed one ends only this sequence. */
  readonly sequence: (name: string, run: () => Promise<void>) => Promise<void>
  /** Says that something was not run and what it needs; in CI that is a failure. */
  readonly skip: (name: string, need: string) => void
  readonly note: (text: string) => void
  /** How many steps have failed so far. */
  readonly failed: () => number
  /** Prints the last line and answers the exit code. */
  readonly end: () => number
}

/** A fresh report. `logs` is where a failure's logs are. */
export const make = (logs: () => string, print: (line: string) => void = console.log): Report => {
  const began = Date.now()
  let passed = 0
  let failed = 0
  let skipped = 0
  const line = (mark: string, name: string, figure: string) => {
    const at = ((Date.now() - began) / 1000).toFixed(1).padStart(6)
    print(`${mark.padEnd(6)} ${at} s  ${name.padEnd(58)} | ${figure}`)
  }
  const fail = (name: string, cause: unknown) => {
    failed++
    line("FAILED", name, cause instanceof Error ? cause.message : String(cause))
    if (cause instanceof Error && !(cause instanceof Unexpected)) print((cause.stack ?? "").replace(/^.*\n/, ""))
    print(`       logs: ${logs()}`)
  }
  return {
    step: async (name, run) => {
      try {
        const figure = await run()
        passed++
        line("ok", name, figure)
        return figure
      } catch (cause) {
        if (!(cause instanceof Abandoned)) fail(name, cause)
        throw new Abandoned(name, { cause })
      }
    },
    sequence: async (name, run) => {
      try {
        await run()
      } catch (cause) {
        if (cause instanceof Abandoned) line("", name, `ends here: what follows builds upon "${cause.message}"`)
        else fail(name, cause)
      }
    },
    skip: (name, need) => {
      if (process.env["CI"]) return fail(name, new Unexpected(`cannot run: ${need}`))
      skipped++
      line("skip", name, need)
    },
    failed: () => failed,
    note: (text) => line("", text, ""),
    end: () => {
      print(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
      return failed > 0 || passed + skipped === 0 ? 1 : 0
    }
  }
}
