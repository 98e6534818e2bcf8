import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { AuditSeal, Id } from "../src/index.ts"

const record = {
  id: "0199c1c0-0000-7000-8000-000000000001",
  timestamp: Date.UTC(2026, 0, 15, 12),
  actorId: Id.system,
  action: "subscription.suspend",
  targetType: "subscription",
  targetId: "0199c1c0-0000-7000-8000-000000000002",
  meta: { is_suspended: { before: false, after: true }, a: [{ z: null, b: "ü" }] }
}

const line =
  `["${record.id}","2026-01-15T12:00:00.000Z","${Id.system}","subscription.suspend","subscription","${record.targetId}",` +
  `{"a":[{"b":"ü","z":null}],"is_suspended":{"after":true,"before":false}}]`

const digestOf = (text: string) => createHash("sha256").update(text).digest("hex")

const sealed = (previous: string | null, ...records: ReadonlyArray<typeof record>) => {
  const digest = AuditSeal.begin("2026-01-15", previous)
  digest.add(records)
  return digest.end()
}

describe("A seal", () => {
  it("can be made without vpnmgr", () => {
    assert.deepStrictEqual(sealed(null, record, record), {
      recordCount: 2,
      digest: digestOf(`vpnmgr/audit/1\n2026-01-15\n\n${line}\n${line}\n`)
    })
    assert.strictEqual(sealed("abc").digest, digestOf("vpnmgr/audit/1\n2026-01-15\nabc\n"))
  })

  it("is the same whatever the order of keys, and another when anything else is", () => {
    const reordered = { ...record, meta: { a: [{ b: "ü", z: null }], is_suspended: { after: true, before: false } } }
    assert.strictEqual(sealed(null, reordered).digest, sealed(null, record).digest)
    const others = [
      { ...record, timestamp: record.timestamp + 1 },
      { ...record, actorId: record.targetId },
      { ...record, action: "subscription.resume" },
      { ...record, meta: { ...record.meta, extra: 1 } },
      { ...record, meta: { ...record.meta, a: [{ z: null, b: "u" }] } }
    ].map((each) => sealed(null, each as typeof record).digest)
    const all = [
      ...others,
      sealed(null, record).digest,
      sealed(null, record, record).digest,
      sealed("a", record).digest
    ]
    assert.strictEqual(new Set(all).size, all.length)
  })

  it("tells any two texts apart, wherever their ends are", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (a, b, c, d) => {
        const first = AuditSeal.canonical({ ...record, action: a, targetType: b })
        const second = AuditSeal.canonical({ ...record, action: c, targetType: d })
        assert.strictEqual(first === second, a === c && b === d)
      })
    )
  })
})
