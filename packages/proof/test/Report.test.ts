import { assert, describe, it } from "@effect/vitest"
import * as Expect from "../src/Expect.ts"
import * as Report from "../src/Report.ts"

const make = () => {
  const lines: Array<string> = []
  return {
    lines,
    report: Report.make(
      () => "/logs",
      (line) => void lines.push(line)
    )
  }
}

describe("Report", () => {
  it("fails when nothing ran, and passes when all did", async () => {
    const { report } = make()
    assert.strictEqual(report.end(), 1)
    await report.step("first", () => "1 ms")
    assert.strictEqual(report.end(), 0)
  })

  it("says what was expected and where the logs are, and ends the sequence only", async () => {
    const { lines, report } = make()
    let isReached = false
    await report.sequence("one", async () => {
      await report.step("bytes", () => {
        Expect.same("counted", 3n, 4n)
        return ""
      })
      isReached = true
    })
    await report.sequence("two", async () => void (await report.step("other", () => "fine")))
    assert.isFalse(isReached)
    assert.match(lines[0] ?? "", /FAILED .*bytes .*counted: expected 4, got 3/)
    assert.include(lines[1], "/logs")
    assert.strictEqual(report.end(), 1)
    assert.strictEqual(lines.at(-1), "1 passed, 1 failed")
  })

  it("waits for what comes late, and gives up on what does not", async () => {
    let asked = 0
    const answer = await Expect.soon("third time", 2000, () => (++asked === 3 ? "here" : undefined), undefined, 1)
    assert.strictEqual(answer, "here")
    const never = await Expect.soon(
      "never",
      10,
      () => undefined,
      () => 7,
      1
    ).catch((error: Error) => error.message)
    assert.strictEqual(never, "never: not within 10 ms, last seen 7")
  })
})
