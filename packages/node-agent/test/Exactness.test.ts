/** Whatever happens in whatever order, the server counts what the plane counted, once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import type { DataPlane } from "@vpnmgr/core"
import * as Spool from "../src/Spool.ts"
import { directory, FakePlane, hour, state } from "./Fakes.ts"

type Step =
  | { readonly kind: "pass"; readonly credential: number; readonly bytes: number }
  | { readonly kind: "read" | "seal" | "crash" | "prune" | "planned restart" | "crash after counting" }
  | { readonly kind: "send"; readonly outcome: "acknowledged" | "answer lost" | "never arrived" }
  | { readonly kind: "clock"; readonly by: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("pass"), credential: fc.integer({ min: 1, max: 3 }), bytes: fc.nat(5000) })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("read", "seal", "crash", "prune", "planned restart", "crash after counting")
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("send"),
      outcome: fc.constantFrom("acknowledged", "answer lost", "never arrived")
    })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("clock"), by: fc.integer({ min: -2 * hour, max: 3 * hour }) }) }
)

const play = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>, maxBatches: number) {
  const at = yield* directory
  const plane = new FakePlane()
  const taken = new Map<string, string>()
  const counted = new Map<number, bigint>()
  let floor = 0
  let clock = 100 * hour
  let scope = yield* Scope.make()
  const open = () => Spool.make({ directory: at, maxBatches }).pipe(Scope.provide(scope))
  let spool = yield* open()

  const reading = (): DataPlane.Counters => ({
    epoch: `e${plane.epoch}`,
    at: clock,
    counters: [...plane.counters.values()]
  })
  const read = Effect.suspend(() => spool.book(reading(), { grain: hour }))
  const crash = Effect.gen(function* () {
    yield* Scope.close(scope, Exit.void)
    scope = yield* Scope.make()
    spool = yield* open()
  })
  const send = Effect.fnUntraced(function* (outcome: "acknowledged" | "answer lost" | "never arrived") {
    const waiting = yield* spool.next
    if (waiting === null || outcome === "never arrived") return
    const { batch, lowest } = waiting
    assert.isAtLeast(batch.seq, floor, "an honest spool never sends below what it named as its lowest")
    floor = Math.max(floor, Math.min(lowest, batch.seq))
    const digest = JSON.stringify([
      batch.from,
      batch.to,
      batch.entries.map((e) => [e.credential, `${e.bytesUp}/${e.bytesDown}`])
    ])
    const known = taken.get(`${batch.spool}/${batch.seq}`)
    assert.isTrue(known === undefined || known === digest, "a batch once sent never changes")
    if (known === undefined)
      for (const { credential, bytesUp, bytesDown } of batch.entries)
        counted.set(credential, (counted.get(credential) ?? 0n) + bytesUp + bytesDown)
    taken.set(`${batch.spool}/${batch.seq}`, digest)
    if (outcome === "acknowledged") yield* spool.acknowledge(batch.seq)
  })

  for (const one of steps) {
    clock += 700
    if (one.kind === "pass") plane.pass(one.credential, one.bytes, one.bytes % 7)
    else if (one.kind === "clock") clock += one.by
    else if (one.kind === "send") yield* send(one.outcome)
    else if (one.kind === "read") yield* read
    else if (one.kind === "seal") yield* spool.seal(clock)
    else if (one.kind === "prune") yield* spool.prune(yield* spool.acknowledgedTo, state(1), clock)
    else if (one.kind === "crash") yield* crash
    else {
      yield* read
      if (one.kind === "planned restart") plane.restart()
      else yield* crash
    }
  }
  yield* read
  yield* spool.seal(clock)
  while ((yield* spool.next) !== null) yield* send("acknowledged")
  yield* Scope.close(scope, Exit.void)
  return { counted, truth: plane.truth }
}, Effect.scoped)

const present = (counts: ReadonlyMap<number, bigint>) =>
  [...counts].filter(([, bytes]) => bytes > 0n).sort(([a], [b]) => a - b)

const everyByteOnce = fc.asyncProperty(
  fc.array(step, { maxLength: 40 }),
  fc.constantFrom(1, 3, 10_000),
  async (steps, maxBatches) => {
    const { counted, truth } = await Effect.runPromise(play(steps, maxBatches))
    assert.deepStrictEqual(present(counted), present(truth))
  }
)

describe("exactness", () => {
  it("counts every byte of the plane once, through any interleaving", { timeout: 60_000 }, () =>
    fc.assert(everyByteOnce, { numRuns: 120 })
  )
})
