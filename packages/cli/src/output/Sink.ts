/** Where an export goes: to stdout as fast as its reader takes it, or to a file that is there only when it is whole. */
import { Effect, Stream } from "effect"
import * as fs from "node:fs"
import type { Writable } from "node:stream"
import { failed } from "../Failed.ts"
import { isTerminal } from "./Terminal.ts"
import { printable, printableJson } from "./Text.ts"

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const write = (to: Writable, part: Uint8Array | string) =>
  Effect.callback<void>((resume) => {
    to.write(part, () => resume(Effect.void))
  })

/** Line by line what a terminal may be shown. */
const shown = <E>(bytes: Stream.Stream<Uint8Array, E>, format: "ndjson" | "csv"): Stream.Stream<string, E> =>
  bytes.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.map((line) => `${format === "ndjson" ? printableJson(line) : printable(line)}\n`)
  )

/** Writes to stdout: the bytes as they come, or to a terminal without what it may act on. */
export const toStdout = <E>(bytes: Stream.Stream<Uint8Array, E>, format: "ndjson" | "csv"): Effect.Effect<void, E> =>
  isTerminal()
    ? Stream.runForEach(shown(bytes, format), (line) => write(process.stdout, line))
    : Stream.runForEach(bytes, (part) => write(process.stdout, part))

/** Writes to a new file of mode 600, which gets its name once everything is on disk; answers how many bytes it has. */
export const toFile = Effect.fn("Sink.toFile")(function* <E>(bytes: Stream.Stream<Uint8Array, E>, file: string) {
  if (fs.existsSync(file)) return yield* failed(`${file} is there already`)
  const unfinished = `${file}.unfinished`
  const on = <A>(work: () => A) =>
    Effect.try({ try: work, catch: (error) => failed(`${file} cannot be written: ${reason(error)}`) })
  return yield* Effect.acquireUseRelease(
    on(() => fs.openSync(unfinished, "w", 0o600)),
    (handle) =>
      Effect.gen(function* () {
        let size = 0
        yield* Stream.runForEach(bytes, (part) => on(() => (size += fs.writeSync(handle, part))))
        yield* on(() => {
          fs.fsyncSync(handle)
          fs.renameSync(unfinished, file)
        })
        return size
      }),
    (handle) =>
      Effect.sync(() => {
        fs.closeSync(handle)
        fs.rmSync(unfinished, { force: true })
      })
  )
})
