import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as DigestText from "../src/internal/digestText.ts"

const whole = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -20, max: 2000 }), fc.constantFrom(-0, 9, 10, 99, 100))
const bytes = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.maxSafeInteger().map(BigInt))
const batch = fc.record({
  spool: fc.uuid(),
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  from: fc.integer({ min: 0, max: 2 ** 48 }),
  to: fc.integer({ min: 0, max: 2 ** 48 }),
  entries: fc.array(fc.record({ credential: whole, inbound: whole, bytesUp: bytes, bytesDown: bytes }))
})

describe("DigestText", () => {
  it("is the text of every number, to the digit", () => {
    fc.assert(
      fc.property(batch, (each) => {
        const entries = each.entries.map((e) => `${e.credential},${e.inbound},${e.bytesUp},${e.bytesDown}`)
        const text = `vpnmgr/1|${each.spool}|${each.seq}|${each.from}|${each.to}|${entries.join(";")}`
        assert.strictEqual(new TextDecoder().decode(DigestText.of(each)), text)
      }),
      { numRuns: 500 }
    )
  })
})
