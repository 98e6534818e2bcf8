import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { NodeState, Quota, Window } from "../src/index.ts"

const empty: NodeState.NodeState = {
  protocol: NodeState.protocolVersion,
  generation: "g",
  revision: 0,
  since: null,
  serverTime: 0,
  grain: 1000,
  inbounds: [],
  credentials: [],
  buckets: [],
  removed: { inbounds: [], credentials: [], buckets: [] }
}

const credential = (ref: number, open: number): NodeState.NodeCredential => ({
  ref,
  access: [],
  open: [open],
  serveFrom: null,
  serveUntil: null,
  buckets: [ref]
})

const grant = (ref: number, remaining: number): NodeState.Grant => ({
  ref,
  remaining: BigInt(remaining),
  asOf: null,
  windowStart: 0,
  windowEnd: null,
  blockedUntil: null,
  isBlocked: false,
  maxTraffic: null,
  anchor: 0,
  period: null
})

/** What a node knows, by number; each value stands for another version of the item. */
const roster = fc.dictionary(fc.constantFrom("1", "2", "3", "10", "20"), fc.nat({ max: 3 }))

const whole = (revision: number, versions: Record<string, number>): NodeState.NodeState => ({
  ...empty,
  revision,
  credentials: Object.entries(versions).map(([ref, version]) => credential(Number(ref), version)),
  buckets: Object.entries(versions).map(([ref, version]) => grant(Number(ref), version))
})

const difference = (before: Record<string, number>, after: Record<string, number>, revision: number) => {
  const changed = Object.fromEntries(Object.entries(after).filter(([ref, version]) => before[ref] !== version))
  const gone = Object.keys(before)
    .filter((ref) => !(ref in after))
    .map(Number)
  const removed = { inbounds: [], credentials: gone, buckets: gone }
  return { ...whole(revision, changed), since: revision - 1, removed }
}

describe("node state", () => {
  it("is the same from differences one after the other as taken whole", () => {
    fc.assert(
      fc.property(fc.array(roster, { minLength: 1, maxLength: 8 }), (versions) => {
        const merged = versions.reduce(
          (state, after, index) =>
            index === 0 ? whole(0, after) : NodeState.merge(state, difference(versions[index - 1]!, after, index)),
          empty
        )
        assert.deepStrictEqual(merged, whole(versions.length - 1, versions.at(-1)!))
      })
    )
  })

  it("does not mind a difference that comes twice", () => {
    fc.assert(
      fc.property(roster, roster, (before, after) => {
        const next = difference(before, after, 1)
        const once = NodeState.merge(whole(0, before), next)
        assert.deepStrictEqual(NodeState.merge(once, next), once)
      })
    )
  })

  it("is replaced by a whole one", () => {
    fc.assert(
      fc.property(roster, roster, (before, after) => {
        assert.deepStrictEqual(NodeState.merge(whole(0, before), whole(1, after)), whole(1, after))
      })
    )
  })
})

const grain = 1000
const limited = fc.record({
  limit: fc.bigInt({ min: 0n, max: 10_000n }),
  used: fc.bigInt({ min: 0n, max: 12_000_000n }),
  spent: fc.bigInt({ min: 0n, max: 12_000_000n }),
  anchor: fc.nat({ max: 1000 }).map((grains) => grains * grain),
  now: fc.integer({ min: 1, max: 2_000_000 }),
  later: fc.nat({ max: 100_000 })
})

describe("standing", () => {
  it("inside the window is what the server would say, had it heard of everything", () => {
    fc.assert(
      fc.property(limited, ({ limit, used, spent, anchor, now, later }) => {
        const window = Window.at({ anchor, period: "PT30S", cut: null }, now)
        const told = {
          ...grant(1, 0),
          remaining: Quota.left(limit, used),
          windowStart: window.start,
          windowEnd: window.end,
          isBlocked: Quota.isExhausted(limit, used),
          maxTraffic: limit,
          anchor,
          period: "PT30S"
        }
        const at = Math.min(now + later, window.end)
        const standing = NodeState.standing(told, () => spent, at)
        assert.strictEqual(standing.left, Quota.left(limit, used + spent))
        const isExhausted = Quota.isExhausted(limit, used + spent)
        assert.strictEqual(standing.blockedUntil, isExhausted ? window.end : null)
        assert.strictEqual(standing.windowEnd, window.end)
      })
    )
  })

  it("in a later window starts with the whole limit, with nobody to say so", () => {
    fc.assert(
      fc.property(limited, ({ limit, used, spent, anchor, now, later }) => {
        const window = Window.at({ anchor, period: "PT30S", cut: null }, now)
        const told = {
          ...grant(1, 0),
          remaining: Quota.left(limit, used),
          windowStart: window.start,
          windowEnd: window.end,
          isBlocked: Quota.isExhausted(limit, used),
          maxTraffic: limit,
          anchor,
          period: "PT30S"
        }
        const at = window.end + 1 + later
        const next = Window.at({ anchor, period: "PT30S", cut: null }, at)
        const standing = NodeState.standing(
          told,
          (_, after) => ("instant" in after && after.instant === next.start ? spent : 0n),
          at
        )
        assert.strictEqual(standing.left, Quota.left(limit, spent))
        assert.strictEqual(standing.blockedUntil, Quota.isExhausted(limit, spent) ? next.end : null)
      })
    )
  })

  it("never blocks who has no limit", () => {
    fc.assert(
      fc.property(limited, ({ spent, now }) => {
        const standing = NodeState.standing({ ...grant(1, 0), remaining: null }, () => spent, now)
        assert.deepStrictEqual(standing, { left: null, blockedUntil: null, windowEnd: Infinity })
      })
    )
  })
})
