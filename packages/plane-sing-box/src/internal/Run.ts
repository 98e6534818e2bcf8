/**
 * One run of sing-box: the note that is kept of it (`plane.json`), how it is started, found again and ended.
 *
 * The note is written before the process is started and completed after, so that a process whose agent died in between
 * is still found: by its command line.
 */
import { SingBoxServer } from "@vpnmgr/core"
import { Duration, Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import * as ControlApi from "./ControlApi.ts"
import * as Directory from "./Directory.ts"
import { type Failure, unreachable } from "./Failure.ts"
import * as Ports from "./Ports.ts"
import * as Process from "./Process.ts"
import * as Roster from "./Roster.ts"

const Note = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(1),
    /** Null between the intention to start and the start. */
    process: Schema.NullOr(Schema.Struct({ pid: Schema.Int, startTime: Schema.String })),
    epoch: Schema.String,
    version: Schema.String,
    stats: Schema.String,
    control: Schema.String,
    secret: Schema.String,
    roster: Roster.Roster
  })
)
type Note = typeof Note.Type

const Config = Schema.fromJsonString(SingBoxServer.ServerConfig)

/** What a run was started with. */
export interface Plan extends Omit<Note, "format" | "process"> {
  readonly config: SingBoxServer.ServerConfig
}

/** A run that lives, as far as is known. */
export interface Run extends Plan {
  readonly process: Process.Identity
}

/** Where a run keeps its files, and which program it runs. */
export interface Place {
  readonly directory: string
  readonly binary: string
  /** How long sing-box may take to answer after its start. */
  readonly startTimeout: Duration.Duration
}

const files = ({ directory }: Place) => ({
  config: join(directory, "config.json"),
  note: join(directory, "plane.json"),
  output: join(directory, "sing-box.log"),
  draft: join(directory, "draft.json")
})

/** A nonce, a secret and two free loopback ports for a run to come, none of which is `taken` by its inbounds. */
export const choose = (taken: ReadonlySet<number>) =>
  Effect.gen(function* () {
    const stats = yield* Ports.free(taken)
    const control = yield* Ports.free(new Set([...taken, stats]))
    return {
      epoch: randomBytes(12).toString("hex"),
      secret: randomBytes(24).toString("base64url"),
      stats: `127.0.0.1:${stats}`,
      control: `127.0.0.1:${control}`
    }
  })

const writeNote = (place: Place, { config: _, ...plan }: Plan, process: Process.Identity | null) =>
  Directory.write(files(place).note, JSON.stringify({ format: 1, process, ...plan } satisfies Note))

/** Writes the config that the run is to be known by, durably. */
export const writeConfig = (place: Place, config: SingBoxServer.ServerConfig): Effect.Effect<void, Failure> =>
  Directory.write(files(place).config, JSON.stringify(config))

/** What the last run was started with; `undefined` when nothing readable was kept. */
export const last = (place: Place): Effect.Effect<(Plan & Pick<Note, "process">) | undefined> =>
  Effect.gen(function* () {
    const note = yield* Schema.decodeUnknownEffect(Note)(yield* Directory.read(files(place).note))
    const config = yield* Schema.decodeUnknownEffect(Config)(yield* Directory.read(files(place).config))
    return { ...note, config }
  }).pipe(Effect.orElseSucceed(() => undefined))

/** Asks sing-box whether it accepts a config, without touching the one in use. */
export const check = (place: Place, config: SingBoxServer.ServerConfig): Effect.Effect<void, Failure> =>
  Directory.write(files(place).draft, JSON.stringify(config)).pipe(
    Effect.andThen(Process.check(place.binary, files(place).draft))
  )

/** Ends every process that was started on this place's config. */
export const endAll = (place: Place): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach(Process.findAll(place.directory, files(place).config), Process.end, { discard: true })
  )

const lastWords = (place: Place) =>
  Directory.read(files(place).output).pipe(Effect.map((text) => text?.trim().split("\n").at(-1)?.slice(0, 500) ?? ""))

const answers = Effect.fnUntraced(function* (place: Place, run: Run) {
  const until = Date.now() + Duration.toMillis(place.startTimeout)
  while (!(yield* ControlApi.holds(run, run.epoch).pipe(Effect.orElseSucceed(() => false)))) {
    if (!Process.isAlive(run.process)) return yield* Effect.fail(unreachable(`it ended: ${yield* lastWords(place)}`))
    if (Date.now() > until) return yield* Effect.fail(unreachable("it does not answer"))
    yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
  }
})

/** Starts a run, whatever ran before being ended first, and waits until it answers. A run that does not is ended. */
export const start = (place: Place, plan: Plan): Effect.Effect<Run, Failure> =>
  Effect.gen(function* () {
    const { config, output } = files(place)
    yield* endAll(place)
    yield* writeConfig(place, plan.config)
    yield* writeNote(place, plan, null)
    const process = yield* Process.start(place.binary, place.directory, config, output)
    const run = { ...plan, process }
    yield* writeNote(place, plan, process)
    yield* answers(place, run).pipe(Effect.onError(() => Process.end(process)))
    return run
  }).pipe(Effect.uninterruptible)

/** The run that another agent started and that still lives and answers as the one it was; it is never a stranger. */
export const adopt = (place: Place): Effect.Effect<Run | undefined> =>
  Effect.gen(function* () {
    const kept = yield* last(place)
    if (kept === undefined) return undefined
    const living = Process.findAll(place.directory, files(place).config)
    const process = living.find(({ pid }) => kept.process === null || kept.process.pid === pid)
    if (process === undefined || living.length > 1) return undefined
    if (kept.process !== null && kept.process.startTime !== process.startTime) return undefined
    const run = { ...kept, process }
    yield* answers(place, run)
    if (kept.process === null) yield* writeNote(place, run, process)
    return run
  }).pipe(Effect.orElseSucceed(() => undefined))
