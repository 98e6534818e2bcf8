/** A plane and a server that do as they are told, and a state for them. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, Layer } from "effect"
import { DataPlane, Instant, NodeState, type Convergence, type Serving, type TrafficReport } from "@vpnmgr/core"
import { ControlPlane, ControlPlaneError, Refused, Unreachable } from "../src/ControlPlane.ts"

export const hour = 3_600_000

/** A directory of its own, gone with the scope. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "vpnmgr-agent-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

/** A plane whose counters the test moves. It outlives the agents that use it. */
export class FakePlane {
  epoch = 0
  isRunning = false
  failure: DataPlane.DataPlaneError | null = null
  rejects: (serving: Serving.Serving) => boolean = () => false
  applies: Array<Serving.Serving> = []
  log: Array<string> = []
  /** The next `apply` ends the run by itself, with this much having passed since the last reading. */
  bytesBeforePlannedRestart: number | null = null
  counters = new Map<string, DataPlane.Counter>()
  truth = new Map<number, bigint>()

  pass(credential: number, up: number, down = 0, inbound = 1): void {
    const before = this.counters.get(`${credential}/${inbound}`) ?? { up: 0n, down: 0n }
    const [moreUp, moreDown] = [BigInt(up), BigInt(down)]
    this.counters.set(`${credential}/${inbound}`, {
      credential,
      inbound,
      up: before.up + moreUp,
      down: before.down + moreDown
    })
    this.truth.set(credential, (this.truth.get(credential) ?? 0n) + moreUp + moreDown)
  }

  /** Ends the run: what was not read is lost, in the truth too when the test asks for it. */
  restart(): void {
    this.epoch++
    this.counters.clear()
  }

  get serving(): ReadonlyMap<number, ReadonlySet<number>> {
    return new Map(this.applies.at(-1)?.credentials.map((credential) => [credential.ref, credential.open]))
  }

  isOpen(credential: number): boolean {
    return (this.serving.get(credential)?.size ?? 0) > 0
  }

  snapshot = Effect.map(Instant.now, (at) => ({
    epoch: `e${this.epoch}`,
    at,
    counters: [...this.counters.values()]
  }))

  get layer(): Layer.Layer<DataPlane.DataPlane> {
    const fail = Effect.suspend(() => (this.failure === null ? Effect.void : Effect.fail(this.failure)))
    return Layer.succeed(
      DataPlane.DataPlane,
      DataPlane.DataPlane.of({
        capabilities: { perUserCounters: true, cutsOpenConnections: true, liveChanges: true, speedLimits: false },
        apply: (serving, { book }) =>
          Effect.gen({ self: this }, function* () {
            yield* fail
            if (this.rejects(serving))
              return yield* new DataPlane.DataPlaneError({ reason: new DataPlane.PlaneRejected({ detail: "no" }) })
            const planned = this.bytesBeforePlannedRestart
            if (planned !== null) {
              this.pass(1, planned)
              yield* book(yield* this.snapshot)
              this.bytesBeforePlannedRestart = null
            }
            const restarted = !this.isRunning || planned !== null
            if (restarted) this.restart()
            this.isRunning = true
            this.applies.push(serving)
            this.log.push("apply")
            return { restarted, version: "fake 1.0", certificates: [] }
          }),
        read: fail.pipe(Effect.andThen(Effect.suspend(() => this.snapshot)))
      })
    )
  }
}

export const lost = new DataPlane.DataPlaneError({ reason: new DataPlane.PlaneUnreachable({ detail: "gone" }) })

/** A server that counts each (spool, seq) once, and goes wrong as the test says. */
export class FakeServer {
  isUp = true
  /** The next reports are taken, and their answers lost. */
  loseAnswers = 0
  conflicts = new Set<number>()
  refusal: number | null = null
  states: Array<NodeState.NodeState> = []
  polls: Array<{ readonly generation: string; readonly revision: number }> = []
  received: Array<TrafficReport.Report> = []
  /** When each of `received` came. */
  arrivals: Array<Instant.Instant> = []
  taken = new Map<string, string>()
  /** By spool: below it, keys are gone. */
  floors = new Map<string, number>()
  /** Every number is taken for one below the floor. */
  isConfused = false
  /** Numbers below a spool's floor that came all the same. */
  rewound: Array<string> = []
  counted = new Map<number, bigint>()
  applied: Array<Convergence.AppliedReport> = []
  onPoll: Effect.Effect<void> = Effect.void

  get layer(): Layer.Layer<ControlPlane> {
    const unreachable = new ControlPlaneError({ reason: new Unreachable({ detail: "no route" }) })
    const up = Effect.suspend(() => (this.isUp ? Effect.void : Effect.fail(unreachable)))
    const refuse = (status: number, code: string | null = null) =>
      new ControlPlaneError({ reason: new Refused({ status, code, detail: "refused" }) })
    return Layer.succeed(
      ControlPlane,
      ControlPlane.of({
        state: (have, wait) =>
          Effect.gen({ self: this }, function* () {
            this.polls.push(have)
            yield* this.onPoll
            yield* up
            const next = this.states.shift()
            if (next !== undefined) return next
            yield* Effect.sleep(wait * 1000)
            return this.states.shift() ?? null
          }),
        applied: (report) =>
          up.pipe(
            Effect.map(() => {
              this.applied.push(report)
            })
          ),
        report: (report) =>
          Effect.gen({ self: this }, function* () {
            yield* up
            const { batch } = report
            this.received.push(report)
            this.arrivals.push(yield* Instant.now)
            if (this.refusal !== null) return yield* refuse(this.refusal)
            const name = `${batch.spool}/${batch.seq}`
            const digest = JSON.stringify(batch, (_, value: unknown) =>
              typeof value === "bigint" ? String(value) : value
            )
            if (this.isConfused || batch.seq < (this.floors.get(batch.spool) ?? 0)) {
              this.rewound.push(name)
              return yield* refuse(409, "spool_rewound")
            }
            if (this.conflicts.has(batch.seq) || (this.taken.get(name) ?? digest) !== digest)
              return yield* refuse(409, "batch_conflict")
            if (!this.taken.has(name))
              for (const { credential, bytesUp, bytesDown } of batch.entries)
                this.counted.set(credential, (this.counted.get(credential) ?? 0n) + bytesUp + bytesDown)
            this.taken.set(name, digest)
            this.floors.set(
              batch.spool,
              Math.max(this.floors.get(batch.spool) ?? 0, Math.min(report.lowest, batch.seq))
            )
            if (this.loseAnswers > 0) {
              this.loseAnswers--
              return yield* unreachable
            }
            return { spool: batch.spool, seq: batch.seq }
          })
      })
    )
  }
}

const inbound = (ref: number, trafficMultiplier = 1000): NodeState.NodeState["inbounds"][number] => ({
  ref,
  id: `00000000-0000-7000-8000-00000000000${ref}`,
  listen: "::",
  port: 10_000 + ref,
  isActive: true,
  trafficMultiplier,
  settings: { protocol: "shadowsocks", serverKey: "AAAAAAAAAAAAAAAAAAAAAA==" }
})

export const credential = (ref: number, more: Partial<NodeState.NodeCredential> = {}): NodeState.NodeCredential => ({
  ref,
  access: [{ inbound: 1, access: { protocol: "shadowsocks", key: "AAAAAAAAAAAAAAAAAAAAAA==" } }],
  open: [1],
  serveFrom: null,
  serveUntil: null,
  buckets: [ref],
  ...more
})

/** A bucket with so many bytes left of a limit as large. */
export const grant = (ref: number, limit: number | null, more: Partial<NodeState.Grant> = {}): NodeState.Grant => ({
  ref,
  remaining: limit === null ? null : (BigInt(limit) - 1n) * 1000n + 1n,
  asOf: null,
  windowStart: 0,
  windowEnd: null,
  blockedUntil: null,
  isBlocked: false,
  maxTraffic: limit === null ? null : BigInt(limit),
  anchor: 0,
  period: null,
  ...more
})

export const state = (revision: number, more: Partial<NodeState.NodeState> = {}): NodeState.NodeState => ({
  protocol: NodeState.protocolVersion,
  generation: "g1",
  revision,
  since: null,
  serverTime: 0,
  grain: hour,
  inbounds: [inbound(1)],
  credentials: [credential(1), credential(2)],
  buckets: [grant(1, null), grant(2, null)],
  removed: { inbounds: [], credentials: [], buckets: [] },
  ...more
})

export const sum = (counts: ReadonlyMap<number, bigint>): bigint => [...counts.values()].reduce((a, b) => a + b, 0n)
