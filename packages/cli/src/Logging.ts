/** Where a daemon's log goes: to stderr, one JSON object a line, or for people when that is a terminal. */
import { Effect, Layer, Logger, References } from "effect"
import type { LogLevel } from "effect"

const levels: Readonly<Record<string, LogLevel.LogLevel>> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

/** What a daemon says and nobody can write, on a full disk for one, ends nothing; what comes once there is room is written. */
const unread = Layer.effectDiscard(
  Effect.sync(() => {
    for (const stream of [process.stdout, process.stderr])
      stream.removeAllListeners("error").on("error", () => undefined)
  })
)

/** Logs what is at least as grave as `level`. */
export const layer = (level: string): Layer.Layer<never> => {
  const toStderr = Logger.withConsoleError(process.stderr.isTTY ? Logger.formatLogFmt : Logger.formatJson)
  return Layer.mergeAll(
    unread,
    Logger.layer([toStderr]),
    Layer.succeed(References.MinimumLogLevel, levels[level] ?? "Info")
  )
}

/** The same for a daemon, which goes on whatever becomes of its log. */
export const layerDaemon = (level: string): Layer.Layer<never> => Layer.mergeAll(unread, layer(level))
