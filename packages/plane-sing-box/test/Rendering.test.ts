import { assert, describe, it } from "vitest"
import * as Rendering from "../src/internal/Rendering.ts"
import * as Roster from "../src/internal/Roster.ts"

const nobody = { inbounds: [], credentials: [] }

describe("Rendering", () => {
  it("has one name for one set of rules, and another for others", () => {
    const name = Rendering.nameOf({ manyPeerUdp: false })
    assert.strictEqual(Rendering.nameOf({ manyPeerUdp: false }), name)
    assert.notStrictEqual(Rendering.nameOf({ manyPeerUdp: true }), name)
  })

  it("decides whether a run can go on", () => {
    const of = (rendering: string) => Roster.of(nobody, new Map(), rendering)
    assert.isTrue(Roster.covers(of("a"), of("a"), nobody))
    assert.isFalse(Roster.covers(of("a"), of("b"), nobody))
    const { rendering: _, ...older } = of("a")
    assert.isFalse(Roster.covers(older, of("a"), nobody))
  })
})
