import { assert, describe, it } from "@effect/vitest"
import * as Figures from "../src/Figures.ts"

const row = (given: Partial<Figures.Row>): Figures.Row => ({
  goal: 1,
  what: "uncached /s",
  subscriptions: 1000,
  values: [0.5, 0.3, 0.45],
  unit: "×",
  bound: { atLeast: 0.4 },
  yardstick: "raw",
  seen: {},
  ...given
})

describe("Figures", () => {
  it("takes the middle value, or the mean of the two in the middle", () => {
    assert.strictEqual(Figures.median([3, 1, 2]), 2)
    assert.strictEqual(Figures.median([10, 9, 2, 1]), 5.5)
    assert.strictEqual(Figures.median([7]), 7)
    assert.throws(() => Figures.median([]), RangeError)
  })

  it("takes quantiles by the nearest rank, by value and not by spelling", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.strictEqual(Figures.quantile(hundred, 0.5), 50)
    assert.strictEqual(Figures.quantile(hundred, 0.99), 99)
    assert.strictEqual(Figures.quantile(hundred, 1), 100)
    assert.strictEqual(Figures.quantile(hundred, 0), 1)
    assert.strictEqual(Figures.quantile([10, 9, 100], 0.5), 10)
    assert.throws(() => Figures.quantile([], 0.5), RangeError)
  })

  it("says how far values lie apart, as a share of the median", () => {
    assert.closeTo(Figures.spread([0.9, 1, 1.2]), 0.3, 1e-12)
    assert.strictEqual(Figures.spread([5]), 0)
    assert.strictEqual(Figures.spread([0, 0]), 0)
  })

  it("judges the median against the bound, from either side", () => {
    assert.isTrue(Figures.isMet(row({})))
    assert.isTrue(Figures.isMet(row({ values: [0.4] })))
    assert.isFalse(Figures.isMet(row({ values: [0.39, 0.1, 0.9] })))
    assert.isTrue(Figures.isMet(row({ bound: { atMost: 1.15 }, values: [1.15] })))
    assert.isFalse(Figures.isMet(row({ bound: { atMost: 1.15 }, values: [1.16, 1.2, 1] })))
  })

  it("prints a line per row, missed goals in capitals", () => {
    const lines = Figures.table([row({}), row({ goal: 9, unit: "ms", bound: { atMost: 1500 }, values: [1600] })]).split(
      "\n"
    )
    assert.strictEqual(lines.length, 3)
    assert.match(lines[1]!, /^1 +\| uncached \/s \| 1000 \| 0\.45 × +\| 44 % +\| ≥ 0\.4 × +\| yes \| raw$/)
    assert.match(lines[2]!, /^9 .*\| 1600 ms \| 0 % +\| ≤ 1500 ms \| NO  \| raw$/)
  })
})
