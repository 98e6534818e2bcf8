import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Instant, Limits, Period, Quota, Usage, Window } from "../src/index.ts"

const hour = 3_600_000
const day = 24 * hour

const instant = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) })
const anchor = instant.map((at) => Math.floor(at / hour) * hour)
const months = fc.integer({ min: 1, max: 30 })
const period = fc.oneof(
  months.map((count) => `P${count}M`),
  fc.integer({ min: 1, max: 3 }).map((count) => `P${count}Y`),
  fc.integer({ min: 1, max: 60 }).map((count) => `P${count}D`),
  fc.integer({ min: 1, max: 100 }).map((count) => `PT${count}H`),
  fc.constantFrom("P1M3D", "P1Y2M10DT2H", "P2W")
)

describe("windows", () => {
  it("put every instant into exactly one window, one after the other", () => {
    fc.assert(
      fc.property(anchor, period, instant, (anchor, period, at) => {
        const window = Window.at({ anchor, period, cut: null }, at)
        assert.isTrue(Window.holds(window, at))
        assert.deepStrictEqual(Window.at({ anchor, period, cut: null }, window.end), window)
        assert.deepStrictEqual(Window.at({ anchor, period, cut: null }, window.start + 1), window)
        assert.strictEqual(Window.at({ anchor, period, cut: null }, window.end + 1).start, window.end)
        assert.strictEqual(Window.at({ anchor, period, cut: null }, window.start).end, window.start)
      })
    )
  })

  it("begin a whole number of periods after the anchor, whatever came before", () => {
    fc.assert(
      fc.property(anchor, period, fc.integer({ min: 0, max: 300 }), (anchor, period, count) => {
        const start = Period.after(anchor, period, count)
        const window = { start, end: Period.after(anchor, period, count + 1) }
        assert.deepStrictEqual(Window.at({ anchor, period, cut: null }, start + 1), window)
        assert.deepStrictEqual(Window.at({ anchor, period, cut: null }, window.end), window)
      })
    )
  })

  it("keep the anchor's day and time, or the month's last day where it has none", () => {
    fc.assert(
      fc.property(anchor, months, fc.integer({ min: -50, max: 300 }), (anchor, count, index) => {
        const [from, to] = [new Date(anchor), new Date(Period.after(anchor, `P${count}M`, index))]
        const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate()
        assert.strictEqual(to.getUTCDate(), Math.min(from.getUTCDate(), lastDay))
        assert.strictEqual(to.toISOString().slice(10), from.toISOString().slice(10))
        const passed = (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth()
        assert.strictEqual(passed, count * index)
      })
    )
  })

  it("count months from the anchor, not from the month before", () => {
    const january31 = Date.UTC(2026, 0, 31)
    const starts = [1, 2, 3].map((count) => Instant.format(Period.after(january31, "P1M", count)).slice(0, 10))
    assert.deepStrictEqual(starts, ["2026-02-28", "2026-03-31", "2026-04-30"])
  })

  it("are cut in two by a reset, and whole again after", () => {
    fc.assert(
      fc.property(anchor, period, instant, fc.nat(), (anchor, period, at, offset) => {
        const whole = Window.at({ anchor, period, cut: null }, at)
        const cut = whole.start + 1 + (offset % Math.max(1, whole.end - whole.start - 1))
        fc.pre(cut < whole.end)
        assert.deepStrictEqual(Window.at({ anchor, period, cut }, whole.end), { start: cut, end: whole.end })
        const next = Window.at({ anchor, period, cut: null }, whole.end + 1)
        assert.deepStrictEqual(Window.at({ anchor, period, cut }, whole.end + 1), next)
      })
    )
  })

  it("are sums of whole pieces, whatever their edges", () => {
    fc.assert(
      fc.property(anchor, instant, fc.array(instant, { maxLength: 3 }), (anchor, to, cuts) => {
        const piece = Window.piece(to, hour, cuts)
        assert.isTrue(piece < to && to - piece <= hour)
        for (const edge of [anchor, ...cuts]) assert.strictEqual(edge <= piece, edge < to)
      })
    )
  })
})

const limits = fc.record<Limits.Limits>({
  maxTraffic: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })),
  maxSpeed: fc.option(fc.bigInt({ min: 0n, max: 5n })),
  trafficResetPeriod: fc.option(period)
})
const grants = fc
  .array(limits, { maxLength: 6 })
  .map((all) => all.map((limits, index): Limits.Grant => ({ groupId: `group ${index}`, limits })))

const length = (of: Limits.Limits) => of.trafficResetPeriod && Period.nominal(of.trafficResetPeriod)

describe("allowances", () => {
  it("grant of each field the most that any group grants, and no limit where one has none", () => {
    fc.assert(
      fc.property(grants, (grants) => {
        const { limits, from, neverResets } = Limits.aggregate(grants)
        for (const field of ["maxTraffic", "maxSpeed"] as const) {
          const values = grants.map((grant) => grant.limits[field])
          const isFree = values.length === 0 || values.includes(null)
          assert.strictEqual(limits[field], isFree ? null : values.reduce((a, b) => (a! > b! ? a : b))!)
        }
        const lengths = grants.map((grant) => length(grant.limits))
        const longest = lengths.length === 0 || lengths.includes(null) ? null : Math.max(...lengths.map(Number))
        assert.strictEqual(length(limits), longest)
        for (const field of ["maxTraffic", "maxSpeed", "trafficResetPeriod"] as const) {
          const giver = grants.find(({ groupId }) => groupId === from[field])
          assert.strictEqual(giver === undefined ? null : giver.limits[field], limits[field])
          assert.strictEqual(giver === undefined, grants.length === 0)
        }
        assert.strictEqual(neverResets, limits.maxTraffic !== null && limits.trafficResetPeriod === null)
      })
    )
  })

  it("do not depend on the order of groups", () => {
    fc.assert(
      fc.property(
        grants.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([one, other]) => {
          const [a, b] = [Limits.aggregate(one).limits, Limits.aggregate(other).limits]
          assert.deepStrictEqual([a.maxTraffic, a.maxSpeed, length(a)], [b.maxTraffic, b.maxSpeed, length(b)])
        }
      )
    )
  })
})

const bytes = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const multiplier = fc.constantFrom(0, 1, 999, 1000, 1337, 1001, 100_000)

describe("quota", () => {
  it("weighs the same however bytes are batched", () => {
    fc.assert(
      fc.property(fc.array(bytes), multiplier, (parts, multiplier) => {
        const apart = parts.reduce((sum, part) => sum + Quota.weight(part, multiplier), 0n)
        const together = Quota.weight(
          parts.reduce((sum, part) => sum + part, 0n),
          multiplier
        )
        assert.strictEqual(apart, together)
        assert.isTrue(Quota.bytes(apart) * 1000n >= apart && (Quota.bytes(apart) - 1n) * 1000n < apart)
      })
    )
  })

  it("is exhausted exactly when nothing is left, and what is left exhausts it", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 74n }),
        (limit, used) => {
          const left = Quota.left(limit, used)!
          assert.strictEqual(left === 0n, Quota.isExhausted(limit, used))
          assert.isTrue(Quota.isExhausted(limit, used + left))
          if (left > 0n) assert.isFalse(Quota.isExhausted(limit, used + left - 1n))
        }
      )
    )
  })

  it("says until when: the window's end, never for a limit of nothing", () => {
    const window = { start: 0, end: day }
    assert.strictEqual(Quota.weigh({ maxTraffic: 10n, used: 9001n, window }), day)
    assert.strictEqual(Quota.weigh({ maxTraffic: 10n, used: 9000n, window }), null)
    assert.strictEqual(Quota.weigh({ maxTraffic: 0n, used: 0n, window }), Instant.never)
    assert.strictEqual(Quota.weigh({ maxTraffic: null, used: 2n ** 80n, window }), null)
  })
})

describe("histories", () => {
  it("hold a value for intervals that end after it was set, until the next", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 50 }), { minLength: 1 }), fc.nat({ max: 60 }), (instants, to) => {
        const history = instants.sort((a, b) => a - b).map((since) => ({ since, value: since }))
        const earlier = instants.filter((since) => since < to)
        assert.strictEqual(Usage.historyAt(history, to), earlier.at(-1) ?? instants[0])
      })
    )
    assert.isUndefined(Usage.historyAt([], 1))
  })
})
