import { assert, describe, it } from "@effect/vitest"
import * as Shapes from "../src/Shapes.ts"

const everyone = () => true
const page = (sort: Shapes.Sort, after: number | null, holds: (n: number) => boolean = everyone, isOwn = false) =>
  Shapes.expected({ sort, holds }, 250, after, 4, isOwn)

describe("Shapes", () => {
  it("expects numbers in order, from either end and after a cursor", () => {
    assert.deepStrictEqual(page("id", null), [1, 2, 3, 4])
    assert.deepStrictEqual(page("-title", null), [250, 249, 248, 247])
    assert.deepStrictEqual(page("created_at", 248), [249, 250])
    assert.deepStrictEqual(page("-id", 3), [2, 1])
  })

  it("expects those that expired before those that end later", () => {
    assert.deepStrictEqual(page("expires_at", null), [40, 41, 42, 43])
    assert.deepStrictEqual(page("expires_at", 47), [48, 49, 1, 2])
    assert.deepStrictEqual(page("-expires_at", 2), [1, 49, 48, 47])
    assert.deepStrictEqual(page("-expires_at", 41), [40])
  })

  it("expects what a filter keeps, and an operator's own alone", () => {
    assert.deepStrictEqual(page("id", 37, Shapes.marks.suspended), [38, 39])
    assert.deepStrictEqual(page("id", 100, everyone, true), [110, 120, 130, 140])
  })

  it("gives every shape a page, and no two the same query", () => {
    const facts = { count: 1000, inbounds: { all: "a", few: "b" }, node: "c" }
    const asked = Shapes.shapes(facts).map(({ query, sort }) => JSON.stringify([sort, query]))
    assert.strictEqual(new Set(asked).size, asked.length)
    for (const shape of Shapes.shapes(facts).filter(({ name }) => name !== "what none has"))
      assert.isNotEmpty(Shapes.expected(shape, facts.count, null, 50, false), shape.name)
  })
})
