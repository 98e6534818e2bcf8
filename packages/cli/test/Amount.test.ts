import { assert, describe, it } from "@effect/vitest"
import { parseBytes, parseSpeed, showBytes, showSpeed } from "../src/output/Amount.ts"

describe("amounts", () => {
  it("are read in the units people write", () => {
    assert.deepStrictEqual(["1500", "10GB", "50GiB", "1.5 TB", "10 kb", "0"].map(parseBytes), [
      1500n,
      10_000_000_000n,
      53_687_091_200n,
      1_500_000_000_000n,
      10_000n,
      0n
    ])
    assert.deepStrictEqual(["64000", "100Mbit", "1Gbit/s", "2.5 Gbps", "1.5k"].map(parseSpeed), [
      64_000n,
      100_000_000n,
      1_000_000_000n,
      2_500_000_000n,
      1500n
    ])
  })

  it("are refused when they mean nothing, are not whole or do not fit", () => {
    for (const text of ["", "GB", "-1GB", "10 parsecs", "1.5", "0.0001kB", "99999999999PB", "1e3"])
      assert.isUndefined(parseBytes(text), text)
    for (const text of ["1GiB", "10GB", "fast"]) assert.isUndefined(parseSpeed(text), text)
  })

  it("are shown in decimal units", () => {
    assert.deepStrictEqual([0n, 999n, 1000n, 1_500_000n, 10_000_000_000n, null].map(showBytes), [
      "0 B",
      "999 B",
      "1 kB",
      "1.5 MB",
      "10 GB",
      "unlimited"
    ])
    assert.strictEqual(showSpeed(100_000_000n), "100 Mbit/s")
  })
})
