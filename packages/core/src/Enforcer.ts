/**
 * The path on one page: what a traffic report sets off.
 *
 * A report becomes usage (`Usage.settle`), usage is weighed against limits (`Quota.weigh`), a bucket that ran dry
 * changes the verdict of whoever draws from it, and the nodes that serve them are marked, all in one transaction. The
 * nodes then learn it through their state (`NodeStates`), and have usually cut by themselves before
 * (`@vpnmgr/node-agent`, `Enforcement`).
 */
import { Context, Effect, Layer, Metric, Schema, Semaphore } from "effect"
import { Digest } from "effect/crypto"
import { Actor } from "./Actor.ts"
import * as Actors from "./Actor.ts"
import * as Audit from "./Audit.ts"
import { BucketStore } from "./BucketStore.ts"
import { Grain } from "./Grain.ts"
import * as Instant from "./Instant.ts"
import * as Ledger from "./Ledger.ts"
import { NodeStateStore } from "./NodeStateStore.ts"
import type { Bucket } from "./Quota.ts"
import * as Quota from "./Quota.ts"
import { Shares } from "./Shares.ts"
import * as TrafficReport from "./TrafficReport.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"
import * as Usage from "./Usage.ts"
import type { Admission, BatchKey, Recording } from "./UsageStore.ts"
import { UsageStore } from "./UsageStore.ts"
import { broken, faultPoint } from "./internal/testBuild.ts"

/** The same (node, spool, seq) was applied with other contents. Kept aside and audited; never counted. */
export class BatchConflict extends Schema.TaggedError<BatchConflict>()("BatchConflict", {
  spool: Schema.String,
  seq: Schema.Int
}) {}

/**
 * The batch's number is below what its spool once named as its lowest: the spool went back in time. Kept aside and
 * audited; counted under the id that the agent then gives its spool.
 */
export class SpoolRewound extends Schema.TaggedError<SpoolRewound>()("SpoolRewound", {
  spool: Schema.String,
  seq: Schema.Int
}) {}

/** Who reports: the node of a token. */
export interface Origin {
  readonly nodeId: string
  readonly tokenId: string
}

class Stale extends Schema.TaggedError<Stale>()("Stale", {}) {
  constructor(readonly buckets: ReadonlyArray<Pick<Bucket, "kind" | "id">>) {
    super()
  }
}

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

/** Counted after the commit, so that a batch that was rolled back or tried again is counted as often as it was applied. */
const counters = {
  reports: counter("reports_total", "Batches admitted, by outcome: new, replay, conflict or rewound"),
  entries: counter("report_entries_total", "Entries of new batches that were counted"),
  quarantined: counter("quarantined_entries_total", "Entries of new batches that went to quarantine, by reason")
}

interface Outcome {
  readonly admission: Admission
  readonly entries: number
  readonly quarantined: ReadonlyArray<Usage.Quarantined>
}

const count = ({ admission, entries, quarantined }: Outcome) =>
  Effect.all([
    Metric.update(Metric.withAttributes(counters.reports, { outcome: admission }), 1),
    Metric.update(counters.entries, entries),
    ...quarantined.map(({ reason }) => Metric.update(Metric.withAttributes(counters.quarantined, { reason }), 1))
  ])

/** Sets `exhaustedUntil` where weighing says otherwise, and marks the nodes. Runs in the transaction that counted. */
export const flip = Effect.fn("Enforcer.flip")(function* (nodeId: string, touched: ReadonlyArray<Bucket>) {
  const flips = touched.flatMap((bucket) => {
    const exhaustedUntil = Quota.weigh(bucket)
    return exhaustedUntil === bucket.exhaustedUntil ? [] : [{ kind: bucket.kind, id: bucket.id, exhaustedUntil }]
  })
  if (flips.length === 0) return
  const buckets = yield* BucketStore
  const nodeStates = yield* NodeStateStore
  yield* buckets.flip(flips)
  yield* nodeStates.markBuckets(flips)
  yield* Audit.record({
    action: "bucket.exhaust",
    targetType: "node",
    targetId: nodeId,
    meta: {
      subscriptions: flips.filter((each) => each.kind === "subscription").length,
      owners: flips.filter((each) => each.kind === "owner").length
    }
  })
})

export class Enforcer extends Context.Service<
  Enforcer,
  {
    /**
     * Applies a batch, once. A replay changes nothing and answers the same. Entries that cannot be counted go to
     * quarantine; the rest is counted.
     */
    readonly report: (
      origin: Origin,
      report: TrafficReport.Report
    ) => Effect.Effect<TrafficReport.Receipt, BatchConflict | SpoolRewound | StoreError>
  }
>()("@vpnmgr/core/Enforcer") {
  static readonly layer = Layer.effect(
    Enforcer,
    Effect.gen(function* () {
      const stores = yield* Effect.context<
        Transaction | UsageStore | BucketStore | NodeStateStore | Digest.Digest | Audit.Needs
      >()
      const transaction = yield* Transaction
      const usage = yield* UsageStore
      const buckets = yield* BucketStore
      const grain = yield* Grain
      const turns = yield* Semaphore.make((yield* Shares).reports)

      /** Settles and writes entries by everything that is known of them. */
      const settle = Effect.fnUntraced(function* (
        key: BatchKey,
        batch: TrafficReport.Batch,
        times: Pick<Recording, "from" | "to" | "shift">
      ) {
        if (batch.entries.length === 0) return { quarantined: [], touched: [] }
        const { nodeId } = key
        const facts = yield* usage.facts(nodeId, batch, times.to)
        const settlement = Usage.settle({ nodeId, entries: batch.entries, ...times, facts, grain })
        if (settlement.stale.length > 0) return yield* Effect.fail(new Stale(settlement.stale))
        yield* usage.record({ key, ...times, settlement })
        return { quarantined: settlement.quarantined, touched: yield* usage.touched(settlement) }
      })

      const apply = Effect.fnUntraced(function* (origin: Origin, report: TrafficReport.Report, key: BatchKey) {
        const { batch } = report
        const { from, to, shift } = TrafficReport.interval(report, key.receivedAt)
        const admission = yield* usage.admit(key)
        if (admission === "conflict" || admission === "rewound") {
          const isFirst = yield* usage.setAside(key, batch, admission)
          if (isFirst)
            yield* Audit.record({
              action: `report.${admission}`,
              targetType: "node",
              targetId: origin.nodeId,
              meta: { spool: batch.spool, seq: batch.seq }
            })
        }
        if (admission !== "new" && !broken("idempotency")) return { admission, entries: 0, quarantined: [] }
        const counted = yield* usage.count({ key, from, to, shift, entries: batch.entries, grain })
        if (counted.stale.length > 0) return yield* Effect.fail(new Stale(counted.stale))
        const { quarantined, touched } = yield* settle(key, { ...batch, entries: counted.rest }, { from, to, shift })
        const isTouched = new Set(touched.map(({ id }) => id))
        const others = yield* buckets.read(counted.weighable.filter(({ id }) => !isTouched.has(id)))
        yield* flip(origin.nodeId, [...touched, ...others])
        yield* faultPoint("server.recorded")
        return { admission, entries: batch.entries.length - quarantined.length, quarantined }
      })

      const report = Effect.fn("Enforcer.report")(function* (origin: Origin, report: TrafficReport.Report) {
        const { batch } = report
        const digest = yield* TrafficReport.digest(batch)
        const key = (receivedAt: Instant.Instant): BatchKey => ({
          ...origin,
          spool: batch.spool,
          seq: batch.seq,
          digest,
          lowest: report.lowest,
          receivedAt
        })
        const attempt = turns.withPermit(
          Effect.flatMap(Instant.now, (receivedAt) => transaction.run(apply(origin, report, key(receivedAt))))
        )
        const outcome = yield* attempt.pipe(
          Effect.tapErrorTag("Stale", ({ buckets }) => Ledger.turn(buckets)),
          Effect.retry({ times: 20, while: (error) => error._tag === "Stale" }),
          Effect.catchTag("Stale", Effect.die)
        )
        yield* faultPoint("server.committed")
        yield* count(outcome)
        const named = { spool: batch.spool, seq: batch.seq }
        if (outcome.admission === "conflict") return yield* new BatchConflict(named)
        if (outcome.admission === "rewound") return yield* new SpoolRewound(named)
        return named
      })

      return Enforcer.of({
        report: (origin, batch) =>
          report(origin, batch).pipe(Effect.provideService(Actor, Actors.system), Effect.provide(stores))
      })
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))
}
