/** What the other end of stdout is: a person's terminal, or a file or program that wants plain text. */

/** True when a person reads. */
export const isTerminal = (): boolean => process.stdout.isTTY === true

/** True when somebody can be asked: both what is read and what is shown are terminals. */
export const canAsk = (): boolean => process.stdin.isTTY === true && isTerminal()

const hasColours = (): boolean =>
  isTerminal() && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb"

/** Sets a heading off, where that is wanted: bold on a terminal without `NO_COLOR`. */
export const heading = (text: string): string => (hasColours() ? `\u001B[1m${text}\u001B[22m` : text)
