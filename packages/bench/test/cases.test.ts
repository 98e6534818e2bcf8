import { assert, describe, it } from "@effect/vitest"
import { cases } from "../src/cases.ts"

describe("cases", () => {
  it("have names of their own, and a goal each", () => {
    assert.strictEqual(new Set(cases.map(({ name }) => name)).size, cases.length)
    for (const { goals, name } of cases) assert.isNotEmpty(goals, name)
  })
})
