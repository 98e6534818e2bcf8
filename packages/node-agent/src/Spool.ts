/**
 * The node's memory: what was counted and not yet acknowledged, what the plane's counters stood at, and the newest
 * state. One SQLite file, held by one process, on the disk before anything that follows from it happens.
 *
 * Baseline and batch change in one transaction, so that a crash between a reading and its report neither loses nor
 * repeats a byte. `spool-id` in the plane's directory names the spool its runs were read by; a re-made spool sees from
 * it that it does not know what was counted before, and takes its first reading as the baseline.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { type DataPlane, Instant, type NodeState, type TrafficReport } from "@vpnmgr/core"
import { advance, key, type Amount } from "./Baseline.ts"
import * as Batches from "./internal/spoolBatches.ts"
import * as Carry from "./internal/spoolCarry.ts"
import * as File from "./internal/spoolFile.ts"
import * as Origin from "./internal/spoolOrigin.ts"
import * as Rows from "./internal/spoolRows.ts"
import * as Steps from "./internal/spoolSteps.ts"
import * as StateText from "./internal/stateText.ts"
import * as Tally from "./Tally.ts"
import { Uptime } from "./Uptime.ts"

/** Another agent works in the directory: two would count everything twice. */
export class DirectoryInUse extends Schema.TaggedError<DirectoryInUse>()("DirectoryInUse", { detail: Schema.String }) {}

/** The file cannot be read or written; nothing of the change was kept. */
export class SpoolUnusable extends Schema.TaggedError<SpoolUnusable>()("SpoolUnusable", { detail: Schema.String }) {}

export class SpoolError extends Schema.TaggedError<SpoolError>()("SpoolError", {
  reason: Schema.Union([DirectoryInUse, SpoolUnusable])
}) {}

export interface SpoolOptions {
  /** Where `spool.sqlite` lies; made (mode 700) when missing. */
  readonly directory: string
  /** Where the plane keeps its own state; `spool-id` lies there. Default: `directory`. */
  readonly planeDirectory?: string | undefined
  /** Batches that wait at most; then whatever comes merges. Default 10,000. */
  readonly maxBatches?: number | undefined
}

export interface BookOptions {
  /** Milliseconds; batches are cut at whole grains. */
  readonly grain: number
  /** The end of the interval when it is not the instant of the reading: a grain's edge. */
  readonly to?: Instant.Instant | undefined
}

/** What came of a reading. */
export interface Booked {
  readonly counted: ReadonlyArray<Tally.Counted>
  /** The plane began another run since the last reading. */
  readonly isNewEpoch: boolean
  /** Counters that went backwards within one run. */
  readonly backwards: ReadonlyArray<Amount>
  /** Bytes taken as the baseline without counting, by a spool that was re-made; null = this was no such reading. */
  readonly uncounted: bigint | null
}

/** The batch to send next. */
export interface Waiting {
  readonly batch: TrafficReport.Batch
  /** The lowest seq not yet acknowledged. */
  readonly lowest: number
  /** Whether it was in the file when that was opened, or made since; unknown once something was acknowledged. */
  readonly origin: Origin.Origin
}

export class Spool extends Context.Service<
  Spool,
  {
    /** Random, made with the file; another one after `rename`. */
    readonly id: string
    /** True until a spool that was re-made has its first baseline. */
    readonly isRemade: Effect.Effect<boolean, SpoolError>
    /** Says that the run about to be read was started by this agent, so that a re-made spool counts it from zero. */
    readonly startFromZero: Effect.Effect<void, SpoolError>
    /** Stores the new baseline and books what was counted since the last one, in one durable transaction. */
    readonly book: (reading: DataPlane.Counters, options: BookOptions) => Effect.Effect<Booked, SpoolError>
    /** What a reading that could not be booked holds beyond the baseline. It is not kept, and the next one holds it too. */
    readonly unbooked: (reading: DataPlane.Counters) => Effect.Effect<ReadonlyArray<Tally.Counted>, SpoolError>
    /** By how many milliseconds this node's clock was set since a batch was made: its times are by the clock before. */
    readonly moved: (seq: number) => Effect.Effect<number, SpoolError>
    /** Makes the batches that wait immutable; with none waiting, makes an empty one: the heartbeat. */
    readonly seal: (at: Instant.Instant) => Effect.Effect<void, SpoolError>
    /** The oldest immutable batch that was not acknowledged; null = none. The same until it is settled or `rename`. */
    readonly next: Effect.Effect<Waiting | null, SpoolError>
    /** The server has the batch. It is kept until `prune`, to be weighed against grants computed without it. */
    readonly acknowledge: (seq: number) => Effect.Effect<void, SpoolError>
    /** The server had the batch before the file was brought back from a copy: it needs no counting. */
    readonly concede: (seq: number) => Effect.Effect<void, SpoolError>
    /** Gives the spool a new id, under which everything that waits is sent: a number of the old one was used before. */
    readonly rename: Effect.Effect<void, SpoolError>
    /** Sets a batch aside that the server will never take; the last 100 are kept for the operator. */
    readonly refuse: (seq: number) => Effect.Effect<void, SpoolError>
    /** The seq below which, and at which, everything is acknowledged. */
    readonly acknowledgedTo: Effect.Effect<number, SpoolError>
    /**
     * Deletes batches acknowledged up to a seq, once a state poll that began after that has returned; keeps of them
     * what grants still ask for.
     */
    readonly prune: (
      acknowledgedTo: number,
      state: NodeState.NodeState,
      now: Instant.Instant
    ) => Effect.Effect<void, SpoolError>
    /** Everything counted that a grant may ask for, weighed by a state. */
    readonly tally: (state: NodeState.NodeState | null) => Effect.Effect<Tally.Tally, SpoolError>
    /** Grows whenever what `tally` answers changed by anything but `book`. */
    readonly version: () => number
    /** Keeps a whole state as the newest. On the disk when this succeeds. */
    readonly keep: (state: NodeState.NodeState) => Effect.Effect<void, SpoolError>
    /** Remembers that the plane accepted the newest state. */
    readonly accept: Effect.Effect<void, SpoolError>
    /** The newest state, or the last one the plane accepted; null = none. Unreadable ones are none. */
    readonly state: (kind: "newest" | "accepted") => Effect.Effect<NodeState.NodeState | null, SpoolError>
  }
>()("@vpnmgr/node-agent/Spool") {}

const busy = 5

const failure = (options: SpoolOptions) => (cause: unknown) => {
  const isBusy = typeof cause === "object" && cause !== null && "errcode" in cause && cause.errcode === busy
  const detail = cause instanceof Error ? cause.message : String(cause)
  const inUse = `another vpnmgr agent is running in ${options.directory}: stop it, or give this one a directory of its own`
  return new SpoolError({ reason: isBusy ? new DirectoryInUse({ detail: inUse }) : new SpoolUnusable({ detail }) })
}

const keptAside = 100

/** Opens the spool of a directory for the life of the scope. */
export const make = Effect.fn("Spool.make")(function* (options: SpoolOptions) {
  const attempt = <A>(action: () => A) => Effect.try({ try: action, catch: failure(options) })
  const planeDirectory = options.planeDirectory ?? options.directory
  const opened = yield* Effect.acquireRelease(
    attempt(() => File.open(options.directory, planeDirectory)),
    ({ db }) => Effect.sync(() => db.close())
  )
  const { db } = opened
  let id = opened.id
  yield* attempt(() => File.mark(planeDirectory, id))
  const bounds = Batches.bounds(options.maxBatches ?? 10_000)
  /** The line between what the file held and what is made since is yet to be drawn. */
  let isUndrawn = yield* attempt(() => Origin.isDue(db))
  let baseline = Rows.baseline(db)
  let last = Number(File.readMeta(db, "last") ?? 0)
  let grain = Number(File.readMeta(db, "grain") ?? 3_600_000)
  let version = 0
  const uptime = yield* Uptime
  const sinceBoot = Effect.zipWith(Instant.now, uptime, (now, up) => now - up)
  let booted = yield* sinceBoot

  const change = <A>(action: () => A) =>
    attempt(() => {
      try {
        return File.transact(db, action)
      } catch (cause) {
        baseline = Rows.baseline(db)
        throw cause
      }
    })

  /** How far the clock was set since the last look; 0 while it is only being corrected. */
  const step = Effect.map(sinceBoot, (now) => {
    const by = now - booted
    if (Math.abs(by) >= Steps.noticeable) return by
    booted = now
    return 0
  })

  /** Keeps that the clock was set, once; answers whether it was. */
  const notice = Effect.gen(function* () {
    const by = yield* step
    if (by === 0) return false
    yield* change(() => Steps.record(db, by, bounds))
    booted += by
    if (last !== 0) last += by
    yield* Effect.logWarning(
      "the clock of this node was set: what was counted before keeps the time it was counted at",
      {
        milliseconds: by
      }
    )
    return true
  })

  const intervalTo = (to: Instant.Instant): Batches.Interval => ({
    from: last === 0 ? to : Math.min(last, to),
    to,
    edge: Math.ceil(to / grain) * grain
  })

  const saveBaseline = (epoch: string, isNewEpoch: boolean, changed: ReadonlyArray<Amount>): void => {
    if (isNewEpoch) {
      db.exec("DELETE FROM baseline")
      File.writeMeta(db, "epoch", epoch)
    }
    const save = db.prepare("INSERT OR REPLACE INTO baseline VALUES (?, ?, ?, ?, ?)")
    for (const one of changed) save.run(epoch, one.credential, one.inbound, one.up, one.down)
    const counters = isNewEpoch ? new Map<string, Amount>() : baseline.counters
    for (const one of changed) counters.set(key(one), one)
    baseline = { epoch, counters }
  }

  const isRemade = (): boolean => File.readMeta(db, "remade") === 1

  const book = Effect.fnUntraced(function* (reading: DataPlane.Counters, how: BookOptions) {
    const isSet = yield* notice
    const now = yield* Instant.now
    return yield* Effect.suspend(() => {
      const { isNewEpoch, entries, changed, backwards } = advance(baseline, reading)
      const to = Math.floor(isSet ? now : (how.to ?? reading.at))
      const remade = isRemade()
      grain = how.grain
      if (changed.length === 0 && !isNewEpoch && !remade && !isUndrawn) {
        last = to
        return Effect.succeed<Booked>({ counted: [], isNewEpoch, backwards, uncounted: null })
      }
      return change((): Booked => {
        const interval = intervalTo(to)
        saveBaseline(reading.epoch, isNewEpoch, changed)
        const counted = remade ? [] : Batches.append(db, entries, interval, bounds)
        if (isUndrawn) Origin.draw(db, bounds)
        File.writeMeta(db, "last", to)
        File.writeMeta(db, "grain", grain)
        if (remade) File.writeMeta(db, "remade", 0)
        last = to
        isUndrawn = false
        const uncounted = remade ? entries.reduce((sum, { up, down }) => sum + up + down, 0n) : null
        return { counted, isNewEpoch, backwards, uncounted }
      })
    })
  })

  const unbooked = (reading: DataPlane.Counters) =>
    attempt(() => {
      if (isRemade()) return []
      const [seq, to] = [Batches.nextSeq(db), Math.floor(reading.at)]
      return advance(baseline, reading).entries.map((entry): Tally.Counted => ({ ...entry, seq, to }))
    })

  const moved = Effect.fnUntraced(function* (seq: number) {
    const unkept = yield* notice.pipe(
      Effect.as(0),
      Effect.catch(() => step)
    )
    return unkept + (yield* attempt(() => Steps.since(db, seq)))
  })

  const next = attempt((): Waiting | null => {
    const row = db.prepare("SELECT * FROM batch WHERE state = 'sent' ORDER BY seq LIMIT 1").get()
    if (row === undefined) return null
    const seq = Number(row["seq"])
    const entries = Rows.entries(db, seq).map(({ credential, inbound, up, down }) => ({
      credential,
      inbound,
      bytesUp: up,
      bytesDown: down
    }))
    const batch = { spool: id, seq, from: Number(row["began"]), to: Number(row["ended"]), entries }
    return { batch, lowest: Batches.lowest(db), origin: isUndrawn ? "before" : Origin.of(db, seq) }
  })

  const settle = (seq: number, state: "acknowledged" | "refused") =>
    change(() => {
      db.prepare("UPDATE batch SET state = ? WHERE seq = ? AND state = 'sent'").run(state, seq)
      const old = "SELECT seq FROM batch WHERE state = 'refused' ORDER BY seq DESC LIMIT -1 OFFSET ?"
      db.prepare(`DELETE FROM entry WHERE seq IN (${old})`).run(keptAside)
      db.prepare(`DELETE FROM batch WHERE seq IN (${old})`).run(keptAside)
      if (state === "acknowledged") return
      if (isUndrawn || Origin.of(db, seq) === "before") Origin.cutOtherwise(db)
      version++
    })

  const acknowledge = (seq: number) =>
    change(() => {
      db.prepare("UPDATE batch SET state = 'acknowledged' WHERE seq = ? AND state = 'sent'").run(seq)
      Origin.settle(db, seq)
    })

  const rename = Effect.andThen(
    change(() => {
      id = File.rename(db, id)
      Origin.erase(db)
      version++
    }),
    attempt(() => File.mark(planeDirectory, id))
  )

  const prune = (acknowledgedTo: number, state: NodeState.NodeState, now: Instant.Instant) =>
    Effect.suspend(() => {
      if (!Carry.isDue(db, acknowledgedTo)) return Effect.void
      const carry = { scales: Tally.scales(state), spool: id, now, grain: state.grain }
      return change(() => {
        Carry.fold(db, acknowledgedTo, carry)
        version++
      })
    })

  const tally = (state: NodeState.NodeState | null) =>
    attempt(() => {
      const of = Tally.scales(state)
      const found: Tally.Tally = new Map()
      Tally.add(found, Rows.carried(db))
      for (const counted of Rows.counted(db)) Tally.add(found, Tally.weigh(of, counted))
      return found
    })

  const keep = (state: NodeState.NodeState) =>
    change(() => {
      const before = db.prepare("SELECT generation FROM node_state WHERE kind = 'newest'").get()
      if (before !== undefined && before["generation"] !== state.generation) db.exec("DELETE FROM carried")
      db.prepare("INSERT OR REPLACE INTO node_state VALUES ('newest', ?, ?, ?)").run(
        state.generation,
        state.revision,
        StateText.write(state)
      )
      version++
    })

  const state = Effect.fnUntraced(function* (kind: "newest" | "accepted") {
    const row = yield* attempt(() => db.prepare("SELECT json FROM node_state WHERE kind = ?").get(kind))
    if (row === undefined) return null
    return yield* StateText.read(row["json"]).pipe(
      Effect.catch(() =>
        Effect.logError("the kept node state is unreadable: nothing of it is served").pipe(Effect.as(null))
      )
    )
  })

  const startFromZero = Effect.suspend(() => {
    if (!isUndrawn && !isRemade()) return Effect.void
    return change(() => {
      if (isUndrawn) Origin.draw(db, bounds)
      if (isRemade()) File.writeMeta(db, "remade", 0)
      isUndrawn = false
    })
  })

  return Spool.of({
    get id() {
      return id
    },
    isRemade: attempt(isRemade),
    startFromZero,
    book,
    unbooked,
    moved,
    seal: (at) =>
      Effect.andThen(
        notice,
        change(() => {
          Batches.sealOrBeat(db, intervalTo(at))
          if (isUndrawn) Origin.pass(db)
        })
      ),
    next,
    acknowledge,
    concede: (seq) => settle(seq, "acknowledged"),
    rename,
    refuse: (seq) => settle(seq, "refused"),
    acknowledgedTo: attempt(() => Batches.lowest(db) - 1),
    prune,
    tally,
    version: () => version,
    keep,
    accept: change(() =>
      db.exec(
        "INSERT OR REPLACE INTO node_state SELECT 'accepted', generation, revision, json FROM node_state WHERE kind = 'newest'"
      )
    ),
    state
  })
})

/** The spool of a directory; fails with `DirectoryInUse` when another agent has it. */
export const layer = (options: SpoolOptions): Layer.Layer<Spool, SpoolError> => Layer.effect(Spool, make(options))
