/** Whatever is copied and brought back, in whatever order: the server counts what the planes counted, once. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import * as Reporter from "../src/Reporter.ts"
import * as Spool from "../src/Spool.ts"
import { directory, FakePlane, hour } from "./Fakes.ts"

type Step =
  | { readonly kind: "pass"; readonly bytes: number }
  | { readonly kind: "read" | "seal" | "crash" | "copy" | "restore, plane anew" | "restore, plane runs on" }
  | { readonly kind: "send"; readonly isAnswerLost: boolean }
  | { readonly kind: "wait"; readonly by: number }

const kinds = fc.constantFrom(
  "read",
  "read",
  "seal",
  "crash",
  "copy",
  "copy",
  "restore, plane anew",
  "restore, plane runs on"
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass"), bytes: fc.integer({ min: 1, max: 5000 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: kinds }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("send"), isAnswerLost: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait"), by: fc.nat(2 * hour) }) }
)

/** A server that forgets keys below the floor. */
class ForgetfulServer {
  counted = 0n
  refusals = 0
  private readonly floors = new Map<string, number>()
  private readonly keys = new Map<string, string>()

  take({ batch, lowest }: Spool.Waiting): string | null {
    const floor = this.floors.get(batch.spool) ?? 0
    if (batch.seq < floor) return "spool_rewound"
    const bytes = batch.entries.reduce((sum, { bytesUp, bytesDown }) => sum + bytesUp + bytesDown, 0n)
    const [name, digest] = [`${batch.spool}/${batch.seq}`, `${batch.from} ${batch.to} ${bytes}`]
    const known = this.keys.get(name)
    if (known !== undefined) return known === digest ? null : "batch_conflict"
    this.keys.set(name, digest)
    this.floors.set(batch.spool, Math.max(floor, Math.min(lowest, batch.seq)))
    this.counted += bytes
    return null
  }
}

const play = Effect.fnUntraced(function* (steps: ReadonlyArray<Step>, rule: typeof Reporter.whenReused) {
  const [at, kept] = [yield* directory, yield* directory]
  const [plane, server] = [new FakePlane(), new ForgetfulServer()]
  let clock = 100 * hour
  let scope = yield* Scope.make()
  const open = () => Spool.make({ directory: at }).pipe(Scope.provide(scope))
  let spool = yield* open()
  let isRenamed = false
  let isSettled = false
  let hasCopy = false

  const read = Effect.suspend(() =>
    spool.book({ epoch: `e${plane.epoch}`, at: clock, counters: [...plane.counters.values()] }, { grain: hour })
  )
  const reopen = Effect.fnUntraced(function* (meanwhile: () => void) {
    yield* Scope.close(scope, Exit.void)
    meanwhile()
    scope = yield* Scope.make()
    spool = yield* open()
    isSettled = false
    isRenamed = false
  })
  const send = Effect.fnUntraced(function* (isAnswerLost: boolean) {
    const waiting = yield* spool.next
    if (waiting === null) return
    const code = server.take(waiting)
    if (isAnswerLost) return
    if (code === null) {
      yield* spool.acknowledge(waiting.batch.seq)
      isSettled = waiting.origin !== "before"
      isRenamed = false
      return
    }
    server.refusals++
    const what = rule(code, waiting.origin, isRenamed)
    assert.notStrictEqual(what, "ask again")
    if (what === "concede") yield* spool.concede(waiting.batch.seq)
    if (what === "set aside") yield* spool.refuse(waiting.batch.seq)
    if (what === "rename") yield* spool.rename
    if (what === "rename") isRenamed = true
  })
  const flush = Effect.gen(function* () {
    yield* read
    yield* spool.seal(clock)
    while ((yield* spool.next) !== null) yield* send(false)
  })
  const restore = Effect.fnUntraced(function* (isPlaneAnew: boolean) {
    if (!hasCopy) return
    yield* flush
    yield* reopen(() => {
      fs.rmSync(at, { recursive: true })
      fs.cpSync(path.join(kept, "copy"), at, { recursive: true })
    })
    if (isPlaneAnew) plane.restart()
    if (isPlaneAnew) yield* spool.startFromZero
    else yield* read
  })

  for (const one of steps) {
    clock += 700
    if (one.kind === "pass") plane.pass(1, one.bytes)
    else if (one.kind === "wait") clock += one.by
    else if (one.kind === "send") yield* send(one.isAnswerLost)
    else if (one.kind === "read") yield* read
    else if (one.kind === "seal") yield* spool.seal(clock)
    else if (one.kind === "crash") yield* reopen(() => undefined)
    else if (one.kind === "copy") {
      if (!isSettled) yield* spool.seal(clock)
      if (!isSettled) yield* send(false)
      if (!isSettled) continue
      fs.rmSync(path.join(kept, "copy"), { recursive: true, force: true })
      fs.cpSync(at, path.join(kept, "copy"), { recursive: true })
      hasCopy = true
    } else yield* restore(one.kind === "restore, plane anew")
  }
  yield* flush
  yield* Scope.close(scope, Exit.void)
  return { counted: server.counted, truth: plane.truth.get(1) ?? 0n, refusals: server.refusals }
}, Effect.scoped)

const histories = fc.array(step, { minLength: 10, maxLength: 60 })

const isExact = async (steps: ReadonlyArray<Step>, rule: typeof Reporter.whenReused) => {
  const { counted, truth, refusals } = await Effect.runPromise(play(steps, rule))
  assert.strictEqual(counted, truth)
  return refusals
}

const pass: Step = { kind: "pass", bytes: 1 }

/** The tail of the copy went out grown by what the first reading after the restore books under a number of its own. */
const cutAtAnotherEdge: ReadonlyArray<Step> = [
  { kind: "copy" },
  pass,
  { kind: "read" },
  { kind: "copy" },
  pass,
  { kind: "read" },
  { kind: "wait", by: hour },
  { kind: "restore, plane runs on" },
  pass,
  { kind: "read" },
  pass
]

describe("a spool that goes back in time", () => {
  it("counts every byte of the planes once", { timeout: 120_000 }, async () => {
    let refusals = 0
    const property = fc.asyncProperty(histories, async (steps) => {
      refusals += await isExact(steps, Reporter.whenReused)
    })
    await fc.assert(property, { numRuns: 300, examples: [[cutAtAnotherEdge]] })
    assert.isAbove(refusals, 20, "copies that were brought back were refused, so the property was put to the test")
  })

  const wrong: Readonly<Record<string, typeof Reporter.whenReused>> = {
    "sends everything again": () => "rename",
    "takes everything for sent": () => "concede",
    "sets everything aside": () => "set aside"
  }
  for (const [name, rule] of Object.entries(wrong))
    it(`is found out when it ${name}`, { timeout: 120_000 }, async () => {
      const property = fc.asyncProperty(histories, async (steps) => void (await isExact(steps, rule)))
      assert.isTrue((await fc.check(property, { numRuns: 300, endOnFailure: true })).failed)
    })
})
