import { assert, describe, it } from "@effect/vitest"
import { fields, table } from "../src/output/Table.ts"
import * as Text from "../src/output/Text.ts"

const esc = "\u001B"

/** What somebody might call a subscription, and what is shown of it. */
const titles: ReadonlyArray<readonly [title: string, shown: string]> = [
  ["Ada", "Ada"],
  ["Zoë 👩‍👩‍👧 東京", "Zoë 👩‍👩‍👧 東京"],
  [`${esc}[2J${esc}[31mgone`, "�[2J�[31mgone"],
  [`${esc}]0;owned\u0007`, "�]0;owned�"],
  ["\u009B2Jgone", "�2Jgone"],
  ["one\r\ntwo\tthree", "one  two three"],
  ["a\u2028b", "a b"],
  ["\u202Egpj.exe", "�gpj.exe"],
  ["half \uD800 surrogate", "half � surrogate"],
  [`z${"\u0301".repeat(50)}`, `z${"\u0301".repeat(4)}`],
  ["back\bspace\u007F", "back�space�"]
]

describe("text that others wrote", () => {
  for (const [title, shown] of titles)
    it(`is shown as ${shown} for ${JSON.stringify(title)}`, () => assert.strictEqual(Text.printable(title), shown))

  it("is escaped in JSON for a terminal, and stays the same document", () => {
    const json = JSON.stringify({ title: "\u009B2J \u202E é 東 \u007F" })
    assert.notMatch(Text.printableJson(json), /[\u007F-\u009F\u202E]/)
    assert.include(Text.printableJson(json), "é 東")
    assert.deepStrictEqual(JSON.parse(Text.printableJson(json)), JSON.parse(json))
  })

  it("is as wide as a terminal makes it", () => {
    const widths = {
      Ada: 3,
      東京: 4,
      ｶﾅ: 2,
      한글: 4,
      ｗｉｄｅ: 8,
      "e\u0301": 1,
      "👍": 2,
      "👩‍👩‍👧": 2,
      "❤️": 2,
      "🇩🇪": 2,
      "": 0
    }
    assert.deepStrictEqual(Object.fromEntries(Object.keys(widths).map((text) => [text, Text.width(text)])), widths)
  })

  it("is cut where a column ends, never within a letter", () => {
    assert.strictEqual(Text.clip("東京都庁", 8), "東京都庁")
    assert.strictEqual(Text.clip("東京都庁", 7), "東京都…")
    assert.strictEqual(Text.clip("東京都庁", 6), "東京…")
    assert.strictEqual(Text.clip("abc", 2), "a…")
  })
})

describe("a table", () => {
  const columns = [
    ["title", (item: readonly [string, string]) => item[0]],
    ["state", (item: readonly [string, string]) => item[1]]
  ] as const

  it("stands in columns whatever the letters, and stays within them whatever the title", () => {
    const rows: ReadonlyArray<readonly [string, string]> = [
      ["Ada", "active"],
      ["東京", "over limit"],
      [`${esc}[5A${esc}[2K`, "active"],
      ["x".repeat(500), ""]
    ]
    const lines = table(columns, rows, "").split("\n")
    assert.strictEqual(lines.length, 5)
    const starts = ["STATE", "active", "over limit", "active", "-"].map((state, index) =>
      Text.width(lines[index]!.slice(0, lines[index]!.lastIndexOf(state)))
    )
    assert.deepStrictEqual(new Set(starts), new Set([62]))
    assert.notInclude(lines.join(""), esc)
  })

  it("of nothing is a sentence", () => {
    assert.strictEqual(table(columns, [], "There are none."), "There are none.")
  })

  it("of one thing leaves out what has no value", () => {
    assert.strictEqual(
      fields([
        ["id", "1"],
        ["title", `a${esc}b`],
        ["owner", null]
      ]),
      "id     1\ntitle  a�b"
    )
  })
})
