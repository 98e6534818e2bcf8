import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Expiry, Window } from "../src/index.ts"

const at = (text: string) => Date.parse(`${text}Z`)

/** Expiry, period, from, now, and the end that follows. */
const table = [
  ["2026-03-10T00:00:00", "P1M", null, "2026-02-01T12:00:00", "2026-04-10T00:00:00"],
  ["2026-01-10T00:00:00", "P1M", null, "2026-02-01T12:00:00", "2026-03-01T12:00:00"],
  ["2026-02-01T12:00:00", "P1D", null, "2026-02-01T12:00:00", "2026-02-02T12:00:00"],
  ["2026-03-10T00:00:00", "P1M", "now", "2026-02-01T12:00:00", "2026-03-01T12:00:00"],
  ["2026-01-10T00:00:00", "P7D", "expiry", "2026-02-01T12:00:00", "2026-01-17T00:00:00"],
  ["2026-01-31T08:30:00", "P1M", "expiry", "2026-01-01T00:00:00", "2026-02-28T08:30:00"],
  ["2028-01-31T00:00:00", "P1M", "expiry", "2026-01-01T00:00:00", "2028-02-29T00:00:00"],
  ["2028-02-29T00:00:00", "P1Y", "expiry", "2026-01-01T00:00:00", "2029-02-28T00:00:00"],
  ["2026-01-01T00:00:00", "P1Y2M3DT4H", "expiry", "2026-01-01T00:00:00", "2027-03-04T04:00:00"]
] as const

describe("An extension", () => {
  it.each(table)("of an end on %s by %s, from %s on %s, ends on %s", (expiresAt, period, from, now, end) => {
    assert.strictEqual(Expiry.extended({ expiresAt: at(expiresAt), period, from, now: at(now) }), at(end))
  })

  it("ends where a window of the same length ends", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at("2000-01-01T00:00:00"), max: at("2060-01-01T00:00:00") }),
        fc.constantFrom("P1M", "P3M", "P1Y", "P30D", "PT12H", "P1M15D"),
        (anchor, period) => {
          const { start, end } = Window.at({ anchor, period, cut: null }, anchor + 1)
          assert.strictEqual(start, anchor)
          assert.strictEqual(Expiry.extended({ expiresAt: anchor, period, from: "expiry", now: 0 }), end)
        }
      )
    )
  })
})
