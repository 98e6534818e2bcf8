/** Where a daemon's log goes: to stderr, one JSON object a line, or for people when that is a terminal. */
import { Layer, Logger, References } from "effect"
import type { LogLevel } from "effect"

const levels: Readonly<Record<string, LogLevel.LogLevel>> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

/** Logs what is at least as grave as `level`. */
export const layer = (level: string): Layer.Layer<never> => {
  const toStderr = Logger.withConsoleError(process.stderr.isTTY ? Logger.formatLogFmt : Logger.formatJson)
  return Layer.mergeAll(Logger.layer([toStderr]), Layer.succeed(References.MinimumLogLevel, levels[level] ?? "Info"))
}
