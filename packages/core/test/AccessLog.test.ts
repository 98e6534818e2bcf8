import { assert, describe, it } from "@effect/vitest"
import { AccessLog } from "../src/index.ts"

const minute = 60_000

describe("AccessLog", () => {
  const span = { startedAt: 0, endedAt: 30 * minute }

  it("goes on while somebody is idle for less than five minutes", () => {
    assert.isTrue(AccessLog.continues(span, 35 * minute, 36 * minute))
    assert.isFalse(AccessLog.continues(span, 35 * minute + 1, 36 * minute))
  })

  it("ends after an hour, however busy it is", () => {
    const busy = { startedAt: 0, endedAt: 59 * minute }
    assert.isTrue(AccessLog.continues(busy, 59 * minute, 60 * minute))
    assert.isFalse(AccessLog.continues(busy, 59 * minute, 60 * minute + 1))
  })
})
