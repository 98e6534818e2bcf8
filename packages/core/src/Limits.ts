/**
 * How much a subscription or a user may use: `null` is the top of every field (seed vpn-manager, `Group`).
 *
 * An allowance is what several groups grant together: the field-wise maximum.
 */
import { Schema } from "effect"
import * as Period from "./Period.ts"
import * as Wire from "./Wire.ts"

const fields = {
  /** Bytes in a window; `null` = unlimited. */
  maxTraffic: Schema.NullOr(Wire.Bytes),
  /** Bits per second; `null` = unlimited. */
  maxSpeed: Schema.NullOr(Wire.BitsPerSecond),
  /** ISO 8601 duration after which usage starts again; `null` = never. */
  trafficResetPeriod: Schema.NullOr(Period.Period)
}

/** The three limits, as they stand on a group or a subscription. */
export const Limits = Wire.struct(fields)
export type Limits = typeof Limits.Type

/** The fields of `Limits`, to spread into a larger struct. */
export const limitFields = fields

/** No restriction at all. */
export const unlimited: Limits = { maxTraffic: null, maxSpeed: null, trafficResetPeriod: null }

/** A group's limits, with the group they come from. */
export interface Grant {
  readonly groupId: string
  readonly limits: Limits
}

/** The group that gave each field; `null` where nobody restricts it because there are no groups. */
export interface Allowance {
  readonly limits: Limits
  readonly from: {
    readonly maxTraffic: string | null
    readonly maxSpeed: string | null
    readonly trafficResetPeriod: string | null
  }
  /** True when traffic is finite and never resets: once it is used up, it stays so. */
  readonly neverResets: boolean
}

const greatest = <A>(
  grants: ReadonlyArray<Grant>,
  of: (limits: Limits) => A | null,
  isMore: (a: A, b: A) => boolean
): { readonly value: A | null; readonly from: string | null } => {
  const [first, ...rest] = grants
  if (first === undefined) return { value: null, from: null }
  let best = { value: of(first.limits), from: first.groupId }
  for (const grant of rest) {
    const value = of(grant.limits)
    if (best.value === null) break
    if (value === null || isMore(value, best.value)) best = { value, from: grant.groupId }
  }
  return best
}

/**
 * Adds up what groups grant: per field the maximum, where `null` wins; without groups, no restriction. Periods are
 * compared by nominal length. Where two groups grant the same, the first one named is the giver.
 */
export const aggregate = (grants: ReadonlyArray<Grant>): Allowance => {
  const traffic = greatest(
    grants,
    (limits) => limits.maxTraffic,
    (a, b) => a > b
  )
  const speed = greatest(
    grants,
    (limits) => limits.maxSpeed,
    (a, b) => a > b
  )
  const period = greatest(
    grants,
    (limits) => limits.trafficResetPeriod,
    (a, b) => Period.nominal(a) > Period.nominal(b)
  )
  return {
    limits: { maxTraffic: traffic.value, maxSpeed: speed.value, trafficResetPeriod: period.value },
    from: { maxTraffic: traffic.from, maxSpeed: speed.from, trafficResetPeriod: period.from },
    neverResets: traffic.value !== null && period.value === null
  }
}

/** The smaller of two speeds, bit/s; `null` = unlimited. */
export const slower = (a: bigint | null, b: bigint | null): bigint | null =>
  a === null ? b : b === null ? a : a < b ? a : b
