/** Random histories: what may happen to reports, and between them. Numbers are taken modulo what there is. */
import * as fc from "fast-check"

/** What a history is made of. */
export type Step =
  | { readonly kind: "pass"; readonly millis: number }
  | {
      readonly kind: "count"
      readonly node: number
      readonly who: number
      readonly inbound: number
      readonly up: bigint
      readonly down: bigint
    }
  | { readonly kind: "cut" | "merge" | "split" | "remake" | "poll"; readonly node: number }
  | {
      readonly kind: "send"
      readonly node: number
      readonly which: number
      readonly times: number
      readonly isLost: boolean
    }
  | { readonly kind: "skew"; readonly node: number; readonly millis: number }
  | { readonly kind: "limit"; readonly who: number; readonly limit: bigint | null }
  | { readonly kind: "period"; readonly who: number; readonly period: number | null }
  | { readonly kind: "anchor"; readonly who: number; readonly grains: number }
  | { readonly kind: "owner"; readonly who: number; readonly owner: number | null }
  | { readonly kind: "expiry"; readonly who: number; readonly millis: number | null }
  | { readonly kind: "extend"; readonly who: number; readonly seconds: number; readonly from: "now" | "expiry" | null }
  | { readonly kind: "links"; readonly who: number; readonly mask: number }
  | { readonly kind: "linkInbound"; readonly inbound: number; readonly mask: number }
  | { readonly kind: "reset" | "suspend" | "resume" | "rotate" | "remove"; readonly who: number }
  | {
      readonly kind: "create"
      readonly owner: number | null
      readonly limit: bigint | null
      readonly period: number | null
    }
  | { readonly kind: "groups"; readonly owner: number; readonly mask: number }
  | { readonly kind: "grant"; readonly group: number; readonly limit: bigint | null; readonly period: number | null }
  | { readonly kind: "resetOwner"; readonly owner: number }
  | { readonly kind: "multiplier"; readonly inbound: number; readonly value: number }
  | { readonly kind: "turn" | "check" | "burst" }

const index = fc.nat({ max: 11 })
const month = 31 * 86_400_000
const limit = fc.option(fc.bigInt({ min: 0n, max: 40_000n }), { freq: 5 })
const period: fc.Arbitrary<number | null> = fc.option(index, { freq: 5 })
const someone: fc.Arbitrary<number | null> = fc.option(index, { freq: 4 })
const amount = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 0n, max: 9_999n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 33n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -5n, max: -1n }) }
)

/** Time that passes: moments, grains to their very edge, days and months. */
const passing = (grain: number) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: grain }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }).map((grains) => grains * grain) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 40 * grain }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 * month }) }
  )

const skewing = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -290_000, max: 290_000 }),
  fc.integer({ min: -month, max: month })
)

/** Steps in the proportions of a busy life; `grain` in milliseconds. */
export const steps = (grain: number): fc.Arbitrary<ReadonlyArray<Step>> => {
  const step = <const K extends Step["kind"]>(kind: K) => ({ kind: fc.constant(kind) })
  const expiring: fc.Arbitrary<number | null> = fc.option(fc.integer({ min: -grain, max: 20 * grain }))
  const at = { node: index }
  const of = { who: index }
  const weighed: ReadonlyArray<readonly [number, fc.Arbitrary<Step>]> = [
    [12, fc.record({ ...step("pass"), millis: passing(grain) })],
    [16, fc.record({ ...step("count"), ...at, ...of, inbound: index, up: amount, down: amount })],
    [10, fc.record({ ...step("cut"), ...at })],
    [
      16,
      fc.record({ ...step("send"), ...at, which: index, times: fc.constantFrom(0, 1, 1, 1, 2), isLost: fc.boolean() })
    ],
    [1, fc.record({ ...step("merge"), ...at })],
    [1, fc.record({ ...step("split"), ...at })],
    [1, fc.record({ ...step("remake"), ...at })],
    [3, fc.record({ ...step("poll"), ...at })],
    [2, fc.record({ ...step("skew"), ...at, millis: skewing })],
    [2, fc.record({ ...step("limit"), ...of, limit })],
    [2, fc.record({ ...step("period"), ...of, period })],
    [1, fc.record({ ...step("anchor"), ...of, grains: fc.integer({ min: -3000, max: 50 }) })],
    [2, fc.record({ ...step("owner"), ...of, owner: someone })],
    [1, fc.record({ ...step("expiry"), ...of, millis: expiring })],
    [
      1,
      fc.record({
        ...step("extend"),
        ...of,
        seconds: fc.integer({ min: 1, max: (20 * grain) / 1000 }),
        from: fc.constantFrom("now", "expiry", null)
      })
    ],
    [1, fc.record({ ...step("links"), ...of, mask: index })],
    [1, fc.record({ ...step("linkInbound"), inbound: index, mask: index })],
    [2, fc.record({ ...step("reset"), ...of })],
    [1, fc.record({ ...step("suspend"), ...of })],
    [1, fc.record({ ...step("resume"), ...of })],
    [1, fc.record({ ...step("rotate"), ...of })],
    [1, fc.record({ ...step("remove"), ...of })],
    [1, fc.record({ ...step("create"), owner: someone, limit, period })],
    [2, fc.record({ ...step("groups"), owner: index, mask: index })],
    [2, fc.record({ ...step("grant"), group: index, limit, period })],
    [1, fc.record({ ...step("resetOwner"), owner: index })],
    [2, fc.record({ ...step("multiplier"), inbound: index, value: fc.constantFrom(0, 1, 999, 1000, 1337, 2500) })],
    [1, fc.record(step("turn"))],
    [2, fc.record(step("burst"))],
    [2, fc.record(step("check"))]
  ]
  return fc.array(fc.oneof(...weighed.map(([weight, arbitrary]) => ({ weight, arbitrary }))), {
    minLength: 5,
    maxLength: 60,
    size: "max"
  })
}
