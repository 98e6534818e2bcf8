import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Quota } from "../src/index.ts"
import { Binding, Verdict } from "../src/index.ts"

const now = 1000

const bucket = (fields: Partial<Quota.Bucket> & { readonly usedBytes?: bigint } = {}): Quota.Bucket => {
  const { usedBytes = 0n, ...rest } = fields
  return {
    kind: "subscription",
    id: "b",
    ref: 1,
    maxTraffic: null,
    period: null,
    anchor: 0,
    cut: null,
    window: { start: 0, end: 5000 },
    used: usedBytes * 1000n,
    exhaustedUntil: null,
    ...rest
  }
}

const full = (until: number) => bucket({ maxTraffic: 5n, usedBytes: 5n, exhaustedUntil: until })

describe("The bucket that binds", () => {
  it.each([
    ["neither has a limit", bucket(), bucket(), null],
    ["no owner, no limit", bucket(), null, null],
    ["its own is finite", bucket({ maxTraffic: 10n, usedBytes: 4n }), bucket(), ["own", 6n, 5000]],
    ["its owner's is finite", bucket(), bucket({ maxTraffic: 10n, usedBytes: 4n }), ["owner", 6n, 5000]],
    ["its own has less left", bucket({ maxTraffic: 10n }), bucket({ maxTraffic: 11n }), ["own", 10n, 5000]],
    ["its owner's has less left", bucket({ maxTraffic: 10n }), bucket({ maxTraffic: 9n }), ["owner", 9n, 5000]],
    ["both have as much left", bucket({ maxTraffic: 9n }), bucket({ maxTraffic: 9n }), ["own", 9n, 5000]],
    ["one is exhausted, the other has less left", bucket({ maxTraffic: 0n }), full(2000), ["owner", 0n, 2000]],
    ["both are exhausted", full(2000), full(3000), ["owner", 0n, 3000]],
    ["one of two is exhausted for good", full(Infinity), full(3000), ["own", 0n, Infinity]],
    ["it was exhausted until now", full(now), null, ["own", 0n, 5000]],
    [
      "its window has ended and was not turned",
      bucket({ maxTraffic: 7n, usedBytes: 6n, period: "PT1S", window: { start: 0, end: 900 } }),
      null,
      ["own", 7n, 1000]
    ],
    ["part of a byte counts whole", bucket({ maxTraffic: 7n, used: 1001n }), null, ["own", 5n, 5000]]
  ] as const)("when %s", (_, own, owner, expected) => {
    const found = Binding.at(own, owner, now)
    assert.deepStrictEqual(found && [found.bucket, found.remaining, found.freesAt], expected as never)
  })

  it("is the one that the verdict names, and frees when it lets in", () => {
    const some = fc.record({
      max: fc.option(fc.bigInt({ min: 0n, max: 9n })),
      used: fc.bigInt({ min: 0n, max: 12n }),
      until: fc.constantFrom(null, 500, 1000, 2000, 3000, Infinity)
    })
    fc.assert(
      fc.property(some, fc.option(some), (a, b) => {
        const [own, owner] = [a, b].map((each) =>
          each === null ? null : bucket({ maxTraffic: each.max, usedBytes: each.used, exhaustedUntil: each.until })
        ) as [Quota.Bucket, Quota.Bucket | null]
        const verdict = Verdict.at(
          {
            isSuspended: false,
            expiresAt: null,
            ownExhaustedUntil: own.exhaustedUntil,
            ownerExhaustedUntil: owner?.exhaustedUntil ?? null
          },
          now
        )
        const found = Binding.at(own, owner, now)
        if (verdict.state !== "over_limit") return
        assert.deepStrictEqual(found, {
          bucket: verdict.bucket === "owner" ? "owner" : "own",
          remaining: 0n,
          freesAt: verdict.until
        })
      })
    )
  })
})

describe("The effective speed", () => {
  it.each([
    [null, null, null, null],
    [5n, null, 5n, "own"],
    [null, 5n, 5n, "owner"],
    [5n, 6n, 5n, "own"],
    [6n, 5n, 5n, "owner"],
    [5n, 5n, 5n, "own"],
    [0n, 5n, 0n, "own"]
  ] as const)("of %s and %s is %s, from %s", (own, owner, maxSpeed, from) => {
    assert.deepStrictEqual(Binding.speed(own, owner), { maxSpeed, from })
  })
})
