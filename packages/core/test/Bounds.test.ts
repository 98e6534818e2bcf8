import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Instant, Period, Subscription, TrafficReport, Wire } from "../src/index.ts"

const accepts = (schema: Schema.Top) => (input: unknown) => Schema.is(Schema.toType(schema))(input)

describe("what is refused at the door", () => {
  it("takes no instant that it could not write back", () => {
    assert.isUndefined(Instant.parse("9999-12-31T23:59:59-01:00"))
    assert.isUndefined(Instant.parse("0000-01-01T00:00:00+01:00"))
    assert.isUndefined(Instant.parse("2026-01-31"))
    assert.strictEqual(Instant.format(Instant.parse("9999-12-31T23:59:59Z")!), "9999-12-31T23:59:59.000Z")
  })

  it("takes no period beyond a hundred years, nor one that is not whole, positive and ISO 8601", () => {
    const isPeriod = accepts(Period.Period)
    for (const period of ["P100Y", "P1Y2M3DT4H", "P30D", "PT30M"]) assert.isTrue(isPeriod(period), period)
    for (const period of ["P101Y", "P275000Y", "P-1D", "P0D", "1 month", "P1.5D", ""])
      assert.isFalse(isPeriod(period), period)
  })

  it("takes no text that a database cannot keep", () => {
    const isTitle = accepts(Subscription.Title)
    for (const title of ["Ada\n“quoted” 🙂 \u2028", ""]) assert.isTrue(isTitle(title))
    for (const title of ["a\u0000b", "\ud800", "x".repeat(201)]) assert.isFalse(isTitle(title))
  })

  it("takes bytes up to 2^63 - 1 and nothing beyond, signed or not", () => {
    const decode = (schema: typeof Wire.Bytes | typeof Wire.SignedBytes, input: unknown) =>
      Schema.decodeUnknownOption(schema)(input)._tag
    assert.strictEqual(decode(Wire.Bytes, "9223372036854775807"), "Some")
    assert.strictEqual(decode(Wire.SignedBytes, "-9223372036854775808"), "Some")
    for (const bytes of ["9223372036854775808", "1e3", "1.5", 1.5]) {
      assert.strictEqual(decode(Wire.Bytes, bytes), "None")
      assert.strictEqual(decode(Wire.SignedBytes, bytes), "None")
    }
  })
})

describe("the interval of a report", () => {
  const batch = { spool: "0199c1c0-0000-7000-8000-000000000001", seq: 1, entries: [] }
  const hour = 3_600_000

  it("keeps its length when the agent's clock is ahead, so that its speed is judged by it", () => {
    const ahead = { batch: { ...batch, from: hour + 50_000, to: hour + 60_000 }, sentAt: hour + 60_000 }
    assert.deepStrictEqual(TrafficReport.interval(ahead, hour), { from: hour - 10_000, to: hour, shift: 0 })
  })

  it("is shifted once by a clock that is off by more than five minutes", () => {
    const late = { batch: { ...batch, from: 0, to: 10_000 }, sentAt: 10_000 }
    const shift = hour - 10_000
    assert.deepStrictEqual(TrafficReport.interval(late, hour), { from: shift, to: hour, shift })
  })
})
