/** The judges of the soak: each must find what it is there to find. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { randomOf } from "../src/crash/Plan.ts"
import * as Answers from "../src/soak/Answers.ts"
import * as Logs from "../src/soak/Logs.ts"
import * as Memory from "../src/soak/Memory.ts"
import * as Plan from "../src/soak/Plan.ts"

const judged = async (lines: ReadonlyArray<string>) => {
  const directory = mkdtempSync(join(tmpdir(), "vpnmgr-soak-test-"))
  const file = join(directory, "server.log")
  writeFileSync(file, lines.join("\n"))
  try {
    return await Logs.read([file], true)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const error = (message: string, cause: string) => JSON.stringify({ message, level: "ERROR", cause })
const stack = "\n    at handle (file:///srv/app/index.js:10:20)"

describe("Soak", () => {
  it("tells errors that are foreseen from those that are not", async () => {
    const foreseen = [
      "API        http://127.0.0.1:1",
      "vpnmgr is ready: http://127.0.0.1:1",
      JSON.stringify({ message: ["answered", {}], level: "INFO" }),
      error("turning windows failed and is tried again", `StoreError: lost${stack}`),
      '{"message":["answered",{"message":["answered",{}],"level":"INFO"}'
    ]
    const unforeseen = [
      error("turning windows failed and is tried again", `TypeError: x is undefined${stack}`),
      error("a request failed", `StoreError: lost${stack}`),
      "TypeError: x is undefined",
      "    at handle (file:///srv/app/index.js:10:20)"
    ]
    const { errors, unhandled } = await judged([...foreseen, ...unforeseen])
    assert.deepStrictEqual(unhandled, unforeseen)
    assert.strictEqual(errors.get("turning windows failed and is tried again"), 2)
  })

  it("names every answer that the document does not", async () => {
    const document = { paths: { "/api/v1/things/{id}": { get: { responses: { 200: {}, 503: {} } } } } }
    const server = createServer((_, response) => response.end(JSON.stringify(document))).listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const answers = await Answers.make(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    server.close()
    const problem = "application/problem+json"
    const note = (status: number, type: string, body = "{}") =>
      answers.note("GET", "/api/v1/things/{id}", status, type, body)
    note(200, "application/json")
    note(503, problem, '{"code":"unavailable"}')
    assert.strictEqual(answers.undocumented().length, 0)
    note(404, problem, '{"code":"not_found"}')
    note(503, "text/plain", "away")
    answers.note("GET", "/api/v1/others", 200, "application/json", "{}")
    answers.add({ answers: { "POST /node/v1/reports 200": 1 }, problems: { none: 1 }, broken: { "POST /x cut": 2 } })
    assert.strictEqual(answers.undocumented().length, 5)
    answers.note("GET", "/s/{link}", 403, problem, '{"code":"suspended"}')
    answers.note("GET", "/s/{link}", 500, problem, '{"code":"internal"}')
    assert.strictEqual(answers.undocumented().length, 6)
    assert.strictEqual(answers.errors().get("agents, no answer: cut"), 2)
  })

  it("sees memory grow, and not that it warms up", () => {
    const life = (megabytes: (at: number) => number) => ({
      samples: Array.from({ length: 300 }, (_, at) => ({ at, megabytes: megabytes(at) }))
    })
    const warm = Memory.growth(
      life((at) => 200 + Math.min(at, 60) + (at % 7)),
      60
    )
    assert.isBelow(warm.after, warm.before * 1.05)
    const leaking = Memory.growth(
      life((at) => 200 + at),
      60
    )
    assert.isAbove(leaking.after, leaking.before * 1.5)
    assert.closeTo(leaking.slope, 3600, 1)
  })

  it("deals each fault once before any comes again, the same for the same seed", () => {
    const take = (seed: number) => {
      const plan = Plan.draw(Plan.faults, randomOf(seed))
      return Array.from({ length: Plan.faults.length * 2 }, () => plan.next().value)
    }
    const [first, again, other] = [take(7), take(7), take(8)]
    assert.deepStrictEqual(first, again)
    assert.notDeepEqual(first, other)
    for (const half of [first.slice(0, Plan.faults.length), first.slice(Plan.faults.length)])
      assert.sameMembers(half, [...Plan.faults])
    assert.deepStrictEqual(Plan.parse("full: node, server killed"), ["full: node", "server killed"])
    assert.throws(() => Plan.parse("flood"), /there is no fault "flood"/)
  })
})
