import { assert, describe, it } from "@effect/vitest"
import * as Grams from "../src/Grams.ts"

describe("Grams", () => {
  it("asks for the three rarest of a text, and knows how many rows have the rarest", () => {
    const frequencies = new Map([
      ["sub", 1],
      ["ubs", 1],
      ["bs ", 0.9],
      ["s 0", 0.5],
      [" 04", 0.1],
      ["047", 0.01]
    ])
    assert.deepStrictEqual(Grams.rarest("subs 047", frequencies), { grams: ["047", " 04", "s 0"], share: 0.01 })
  })

  it("takes a gram that the statistics do not name for rarer than all they do", () => {
    const frequencies = new Map([["abc", 0.2]])
    assert.deepStrictEqual(Grams.rarest("abcd", frequencies), { grams: ["bcd", "abc"], share: 0 })
  })

  it("spreads what it asks for over the text while there are no statistics", () => {
    const text = Array.from({ length: 60 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join("")
    const { grams, share } = Grams.rarest(text, new Map())
    assert.strictEqual(share, 1)
    assert.isAtMost(grams.length, 16)
    assert.strictEqual(grams[0], text.slice(0, 3))
    assert.isTrue(grams.every((gram) => text.includes(gram)))
  })

  it("asks for a text of one or two letters as it is", () => {
    assert.deepStrictEqual(Grams.spread("ab"), ["ab"])
    assert.deepStrictEqual(Grams.spread("😀"), ["😀"])
  })
})
