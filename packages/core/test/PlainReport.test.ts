/** That the quick reading of a report is the schema's, wherever it reads one, and that it reads what agents write. */
import { assert, describe, it } from "@effect/vitest"
import { PlainReport, TrafficReport } from "@vpnmgr/core"
import { Option, Schema } from "effect"
import * as fc from "fast-check"

const decode = Schema.decodeUnknownOption(TrafficReport.Report, { onExcessProperty: "error" })

const integers = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(0, 1, -1, 2 ** 53, 1.5, Number.NaN))
const bytes = fc.oneof(
  fc.nat(),
  integers,
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  fc.constantFrom("", "007", "-0", "1e3", " 1", "9223372036854775807", "9223372036854775808", "-9223372036854775808")
)
const aMoment = fc
  .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
  .map((date) => date.toISOString())
const instants = fc.oneof(
  { weight: 20, arbitrary: aMoment },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "2026-01-31T00:00:00Z",
      "2026-02-30T00:00:00Z",
      "2026-01-31",
      "",
      "2026-01-31t00:00:00.5+02:00"
    )
  }
)
const plain = fc.record({ credential: fc.nat(), inbound: fc.nat(), bytes_up: fc.nat(), bytes_down: fc.nat() })
const odd = fc.record({ credential: integers, inbound: integers, bytes_up: bytes, bytes_down: bytes })
const reports = (entry: fc.Arbitrary<unknown>, instant: fc.Arbitrary<string>) =>
  fc.record({
    batch: fc.record({
      spool: fc.uuid(),
      seq: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1 }) }, { weight: 1, arbitrary: integers }),
      from: instant,
      to: instant,
      entries: fc.array(entry, { maxLength: 5 })
    }),
    sent_at: instant,
    lowest: fc.oneof({ weight: 4, arbitrary: fc.nat() }, { weight: 1, arbitrary: integers }),
    agent_version: fc.oneof(
      { weight: 4, arbitrary: fc.string({ maxLength: 101 }) },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 5 }) }
    ),
    plane_version: fc.option(fc.string())
  })

/** One value anywhere in it replaced, removed or added. */
const broken = fc
  .tuple(reports(plain, instants), fc.nat(), fc.anything(), fc.constantFrom("set", "drop", "add"))
  .map(([report, where, value, how]) => {
    const places: Array<readonly [Record<string, unknown>, string]> = []
    const walk = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key])
        walk((node as Record<string, unknown>)[key])
      }
    }
    const copy: unknown = structuredClone(report)
    walk(copy)
    const [node, key] = places[where % places.length]!
    if (how === "drop" && !Array.isArray(node)) delete node[key]
    else if (how === "add" && !Array.isArray(node)) node[`${key}x`] = 1
    else node[key] = value
    return copy
  })

describe("PlainReport", () => {
  it("reads a report as the schema does, or leaves it to the schema", () => {
    let read = 0
    fc.assert(
      fc.property(fc.oneof(reports(plain, instants), reports(odd, instants), broken), (json) => {
        const found = PlainReport.read(json)
        if (found === undefined) return
        read++
        assert.deepStrictEqual(found, Option.getOrThrow(decode(json)))
      }),
      { numRuns: 2000 }
    )
    assert.isAbove(read, 100)
  })

  it("reads what an agent writes", () => {
    const entries = [{ credential: 1, inbound: 2, bytesUp: 2n ** 60n, bytesDown: 0n }]
    const batch = { spool: crypto.randomUUID(), seq: 1, from: 0, to: 1000, entries }
    const report = { batch, sentAt: 1000, lowest: 1, agentVersion: "1.0.0", planeVersion: "1.12.0" }
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(TrafficReport.Report)(report)))
    assert.deepStrictEqual(PlainReport.read(json), report)
  })
})
