/** What `AuditStore` promises: records are added, never changed. */
import { assert } from "@effect/vitest"
import { AuditLog, Transaction } from "@vpnmgr/core"
import { Effect } from "effect"
import * as fc from "fast-check"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { anId, anIdOf, hour, noon } from "./World.ts"

const records = (count: number, fields: Partial<AuditLog.AuditRecord> = {}): ReadonlyArray<AuditLog.AuditRecord> =>
  Array.from({ length: count }, (_, index) => {
    const timestamp = noon + index * hour
    return {
      id: anIdOf(timestamp),
      timestamp,
      actorId: anId(),
      action: "subscription.suspend",
      targetType: "subscription",
      targetId: anId(),
      meta: { is_suspended: { before: false, after: true }, number: index, nothing: null },
      ...fields
    }
  })

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`AuditStore (${name})`, stores, (it) => {
    it.effect("answers records as they were written, the newest first", () =>
      Effect.gen(function* () {
        const audit = yield* AuditLog.AuditStore
        const actorId = anId()
        const written = records(3, { actorId })
        yield* audit.append(written)
        assert.deepStrictEqual(yield* audit.list({ actorId }, { after: null, limit: 10 }), [...written].reverse())
      })
    )

    it.effect("turns pages without leaving out or repeating a record", () =>
      Effect.gen(function* () {
        const audit = yield* AuditLog.AuditStore
        const targetId = anId()
        const written = records(5, { targetId })
        yield* audit.append(written)
        const pages: Array<AuditLog.AuditRecord> = []
        for (let after: string | null = null; ;) {
          const page: ReadonlyArray<AuditLog.AuditRecord> = yield* audit.list({ targetId }, { after, limit: 2 })
          if (page.length === 0) break
          assert.isAtMost(page.length, 2)
          pages.push(...page)
          after = page.at(-1)!.id
        }
        assert.deepStrictEqual(pages, [...written].reverse())
      })
    )

    it.effect("finds by actor, action, target and time", () =>
      Effect.gen(function* () {
        const audit = yield* AuditLog.AuditStore
        const [actorId, targetId] = [anId(), anId()]
        const mine = records(4, { actorId })
        const others = records(1, { targetId, targetType: "node" })
        yield* audit.append([...mine, ...others])
        const page = { after: null, limit: 10 }
        assert.deepStrictEqual(yield* audit.list({ targetType: "node", targetId }, page), others)
        assert.deepStrictEqual(yield* audit.list({ actorId, targetId }, page), [])
        const [renamed] = records(1, { actorId, action: "subscription.rotate" })
        yield* audit.append([renamed!])
        assert.deepStrictEqual(yield* audit.list({ actorId, action: "subscription.rotate" }, page), [renamed!])
        const between = yield* audit.list({ actorId, from: noon + hour / 2, to: noon + 2.5 * hour }, page)
        assert.deepStrictEqual(between, [mine[2]!, mine[1]!])
      })
    )

    it.effect("answers to every filter what a naive search finds in what was written", () =>
      Effect.gen(function* () {
        const audit = yield* AuditLog.AuditStore
        const start = Date.UTC(2060, 0, 1) + Math.floor(Math.random() * 3000) * 24 * hour
        const [actors, targets] = [
          [anId(), anId(), anId()],
          [anId(), anId(), anId(), anId()]
        ]
        const actions = ["user.create", "user.change", "user.delete"]
        const types = ["user", "group"]
        const written = Array.from({ length: 80 }, (_, index): AuditLog.AuditRecord => {
          const timestamp = start + Math.floor(index / 3) * hour
          return {
            id: anIdOf(timestamp),
            timestamp,
            actorId: actors[index % 3]!,
            action: actions[(index * 7) % 3]!,
            targetType: types[(index * 5) % 2]!,
            targetId: targets[(index * 3) % 4]!,
            meta: { index }
          }
        })
        yield* audit.append(written)
        const maybe = <A>(values: ReadonlyArray<A>) => fc.option(fc.constantFrom(...values), { nil: undefined })
        const filters = fc.record({
          actorId: maybe(actors),
          action: maybe(actions),
          targetType: maybe(types),
          targetId: maybe(targets),
          from: fc.integer({ min: 0, max: 15 }).map((hours) => start + hours * hour),
          to: fc.integer({ min: 10, max: 40 }).map((hours) => start + hours * hour)
        })
        let found = 0
        const everything = {
          from: start,
          to: start + 40 * hour,
          actorId: undefined,
          action: undefined,
          targetType: undefined,
          targetId: undefined
        }
        for (const filter of [everything, ...fc.sample(filters, 50)]) {
          const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
          const { from, to, ...fields } = filter
          const expected = written
            .filter(
              (record) =>
                from <= record.timestamp &&
                record.timestamp < to &&
                Object.entries(fields).every(
                  ([key, value]) => value === undefined || record[key as keyof typeof fields] === value
                )
            )
            .sort((a, b) => (a.id < b.id ? 1 : -1))
          const rows = yield* audit.list(given as AuditLog.AuditFilter, { after: null, limit: 100 })
          assert.deepStrictEqual(rows, expected, JSON.stringify(given))
          found += rows.length
        }
        assert.isAtLeast(found, written.length)
      })
    )

    it.effect("never replaces a record", () =>
      Effect.gen(function* () {
        const audit = yield* AuditLog.AuditStore
        const [first] = records(1)
        yield* audit.append([first!])
        yield* Effect.exit(audit.append([{ ...first!, action: "forged" }]))
        const found = yield* audit.list({ targetId: first!.targetId }, { after: null, limit: 10 })
        assert.deepStrictEqual(found, [first!])
      })
    )

    it.effect("forgets a record whose change was rolled back", () =>
      Effect.gen(function* () {
        const audit = yield* AuditLog.AuditStore
        const transaction = yield* Transaction.Transaction
        const written = records(1)
        yield* Effect.exit(transaction.run(Effect.andThen(audit.append(written), Effect.fail("no"))))
        assert.deepStrictEqual(yield* audit.list({ targetId: written[0]!.targetId }, { after: null, limit: 1 }), [])
      })
    )
  })
