import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { DataPlane } from "@vpnmgr/core"
import * as Spool from "../src/Spool.ts"
import * as Tally from "../src/Tally.ts"
import { credential, directory, grant, hour, state } from "./Fakes.ts"

const open = Effect.fnUntraced(function* (at: string, more: Partial<Spool.SpoolOptions> = {}) {
  const scope = yield* Scope.make()
  const spool = yield* Spool.make({ directory: at, ...more }).pipe(Scope.provide(scope))
  return { spool, close: Scope.close(scope, Exit.void) }
})

const reading = (
  epoch: string,
  at: number,
  ...counters: ReadonlyArray<readonly [credential: number, up: number, down?: number]>
): DataPlane.Counters => ({
  epoch,
  at,
  counters: counters.map(([credential, up, down]) => ({
    credential,
    inbound: 1,
    up: BigInt(up),
    down: BigInt(down ?? 0)
  }))
})

const grain = { grain: hour }

const sendAll = Effect.fnUntraced(function* (spool: Spool.Spool["Service"]) {
  const sent: Array<Spool.Waiting> = []
  for (let next = yield* spool.next; next !== null; next = yield* spool.next) {
    sent.push(next)
    yield* spool.acknowledge(next.batch.seq)
  }
  return sent
})

const bytes = (sent: ReadonlyArray<Spool.Waiting>): number =>
  sent.reduce((all, { batch }) => batch.entries.reduce((sum, e) => sum + Number(e.bytesUp + e.bytesDown), all), 0)

describe("Spool", () => {
  it.effect("books what was counted since the last reading", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory)
      yield* spool.book(reading("a", 1000, [1, 10, 5]), grain)
      yield* spool.book(reading("a", 3000, [1, 30, 5]), grain)
      yield* spool.seal(4000)
      const [only] = yield* sendAll(spool)
      assert.deepStrictEqual(only?.batch.entries, [{ credential: 1, inbound: 1, bytesUp: 30n, bytesDown: 5n }])
      assert.strictEqual(only?.batch.to, 3000)
      assert.strictEqual(only?.lowest, 1)
    })
  )

  it.effect("keeps its id, its batches and its baseline through a crash", () =>
    Effect.gen(function* () {
      const at = yield* directory
      const first = yield* open(at)
      yield* first.spool.book(reading("a", 1000, [1, 10]), grain)
      yield* first.close
      const second = yield* open(at)
      assert.strictEqual(second.spool.id, first.spool.id)
      yield* second.spool.book(reading("a", 2000, [1, 15]), grain)
      yield* second.spool.seal(2000)
      assert.strictEqual(bytes(yield* sendAll(second.spool)), 15)
    })
  )

  it.effect("answers the same batch until it is acknowledged, through a crash too", () =>
    Effect.gen(function* () {
      const at = yield* directory
      const first = yield* open(at)
      yield* first.spool.book(reading("a", 1000, [1, 10], [2, 7]), grain)
      yield* first.spool.seal(1000)
      const sent = yield* first.spool.next
      yield* first.spool.book(reading("a", 2000, [1, 20], [2, 7]), grain)
      yield* first.close
      const second = yield* open(at)
      assert.deepStrictEqual(yield* second.spool.next, { ...sent, origin: "before" })
    })
  )

  it.effect("starts a new run of the plane from zero", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory)
      yield* spool.book(reading("a", 1000, [1, 100]), grain)
      const booked = yield* spool.book(reading("b", 2000, [1, 40]), grain)
      assert.isTrue(booked.isNewEpoch)
      yield* spool.seal(2000)
      assert.strictEqual(bytes(yield* sendAll(spool)), 140)
    })
  )

  it.effect("names a counter that went backwards and books nothing negative", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory)
      yield* spool.book(reading("a", 1000, [1, 100]), grain)
      const booked = yield* spool.book(reading("a", 2000, [1, 40]), grain)
      assert.strictEqual(booked.backwards.length, 1)
      yield* spool.book(reading("a", 3000, [1, 45]), grain)
      yield* spool.seal(3000)
      assert.strictEqual(bytes(yield* sendAll(spool)), 105)
    })
  )

  it.effect("merges within a grain only, whichever way the clock jumps", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory)
      const times = [10 * hour - 2000, 10 * hour, 10 * hour + 1, 10 * hour + 5000, 4 * hour, 4 * hour + 1000, 20 * hour]
      for (const [index, at] of times.entries()) yield* spool.book(reading("a", at, [1, index + 1]), grain)
      yield* spool.seal(20 * hour)
      const sent = yield* sendAll(spool)
      assert.deepStrictEqual(
        sent.map(({ batch }) => [batch.to, Number(batch.entries[0]?.bytesUp)]),
        [
          [10 * hour, 2],
          [10 * hour + 5000, 2],
          [4 * hour, 1],
          [4 * hour + 1000, 1],
          [20 * hour, 1]
        ]
      )
      assert.strictEqual(bytes(sent), 7)
      for (const { batch } of sent) assert.isTrue(batch.from <= batch.to)
    })
  )

  it.effect("merges and drops nothing when it is full", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory, { maxBatches: 3 })
      for (let index = 1; index <= 20; index++) yield* spool.book(reading("a", index * hour, [1, index * 10]), grain)
      yield* spool.seal(21 * hour)
      yield* spool.book(reading("a", 22 * hour, [1, 300]), grain)
      yield* spool.seal(22 * hour)
      const sent = yield* sendAll(spool)
      assert.strictEqual(bytes(sent), 300)
      assert.isTrue(sent.length <= 4)
    })
  )

  it.effect("splits more entries than a batch may hold", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory)
      const many = (each: number) => Array.from({ length: 20_500 }, (_, index) => [index + 1, each] as const)
      yield* spool.book(reading("a", 1000, ...many(1)), grain)
      yield* spool.book(reading("a", 2000, ...many(3)), grain)
      yield* spool.seal(2000)
      const sent = yield* sendAll(spool)
      assert.deepStrictEqual(
        sent.map(({ batch }) => batch.entries.length),
        [20_000, 500]
      )
      assert.strictEqual(bytes(sent), 20_500 * 3)
    })
  )

  it.effect("makes an empty batch when there is nothing to report", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory)
      yield* spool.seal(5000)
      yield* spool.seal(6000)
      const sent = yield* sendAll(spool)
      assert.deepStrictEqual(
        sent.map(({ batch }) => batch.entries.length),
        [0]
      )
    })
  )

  it.effect("refuses a second agent on the directory in words, and takes it once the first is gone", () =>
    Effect.gen(function* () {
      const at = yield* directory
      const first = yield* open(at)
      const error = yield* Effect.flip(open(at))
      assert.strictEqual(error.reason._tag, "DirectoryInUse")
      assert.include(error.reason.detail, "another vpnmgr agent")
      yield* first.close
      yield* (yield* open(at)).close
    })
  )

  it.effect("takes the first reading as counted when it was re-made under a running plane", () =>
    Effect.gen(function* () {
      const [at, planeDirectory] = [yield* directory, yield* directory]
      const first = yield* open(at, { planeDirectory })
      yield* first.spool.book(reading("a", 1000, [1, 100]), grain)
      yield* first.close
      for (const file of fs.readdirSync(at)) fs.rmSync(path.join(at, file))
      const second = yield* open(at, { planeDirectory })
      assert.isTrue(yield* second.spool.isRemade)
      yield* second.close
      const third = yield* open(at, { planeDirectory })
      assert.isTrue(yield* third.spool.isRemade)
      const booked = yield* third.spool.book(reading("a", 2000, [1, 130]), grain)
      assert.strictEqual(booked.uncounted, 130n)
      yield* third.spool.book(reading("a", 3000, [1, 150]), grain)
      yield* third.spool.seal(3000)
      assert.strictEqual(bytes(yield* sendAll(third.spool)), 20)
    })
  )

  it.effect("counts from zero when it was re-made and the plane was started anew", () =>
    Effect.gen(function* () {
      const [at, planeDirectory] = [yield* directory, yield* directory]
      yield* (yield* open(at, { planeDirectory })).close
      for (const file of fs.readdirSync(at)) fs.rmSync(path.join(at, file))
      const { spool } = yield* open(at, { planeDirectory })
      yield* spool.startFromZero
      yield* spool.book(reading("b", 2000, [1, 30]), grain)
      yield* spool.seal(2000)
      assert.strictEqual(bytes(yield* sendAll(spool)), 30)
    })
  )

  it.effect("keeps of acknowledged batches what a grant still asks for", () =>
    Effect.gen(function* () {
      const at = yield* directory
      const { spool, close } = yield* open(at)
      const spentAfter = Effect.fnUntraced(function* (of: Spool.Spool["Service"], seq: number) {
        const told = state(1, { buckets: [grant(1, 1000, { asOf: { spool: of.id, seq } })] })
        return Tally.spent(yield* of.tally(told), Tally.scales(told), of.id)(1, { asOf: { spool: of.id, seq } })
      })
      for (let index = 1; index <= 5; index++) {
        yield* spool.book(reading("a", index * 1000, [1, index * 10]), grain)
        yield* spool.seal(index * 1000)
        yield* sendAll(spool)
      }
      assert.strictEqual(yield* spentAfter(spool, 2), 30_000n)
      const told = state(1, { buckets: [grant(1, 1000, { asOf: { spool: spool.id, seq: 2 } })] })
      yield* spool.prune(4, told, 6000)
      assert.strictEqual(yield* spentAfter(spool, 2), 30_000n)
      yield* spool.prune(5, told, 6000)
      yield* close
      const again = yield* open(at)
      assert.strictEqual(yield* spentAfter(again.spool, 2), 30_000n)
      yield* again.spool.prune(5, state(2, { buckets: [grant(1, 1000, { asOf: { spool: spool.id, seq: 5 } })] }), 6000)
      assert.strictEqual(yield* spentAfter(again.spool, 2), 0n)
    })
  )

  it.effect("keeps a state as it was told", () =>
    Effect.gen(function* () {
      const { spool } = yield* open(yield* directory)
      const told = state(5, {
        credentials: [credential(1, { serveUntil: 1000 }), credential(2)],
        buckets: [grant(1, 500, { asOf: { spool: spool.id, seq: 3 }, period: "P1D", windowEnd: 86_400_000 })]
      })
      yield* spool.keep(told)
      yield* spool.keep({ ...told, revision: 6 })
      assert.deepStrictEqual(yield* spool.state("newest"), { ...told, revision: 6 })
      assert.isNull(yield* spool.state("accepted"))
      yield* spool.accept
      assert.strictEqual((yield* spool.state("accepted"))?.revision, 6)
    })
  )
})
