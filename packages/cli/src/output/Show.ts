/** How single values are shown to people. */
import { showBytes, showSpeed } from "./Amount.ts"

/** An instant, RFC 3339 in UTC to the second; `otherwise` for none. */
export const instant = (at: number | null, otherwise = "never"): string =>
  at === null ? otherwise : new Date(at).toISOString().replace(/\.\d+Z$/, "Z")

/** Yes or no. */
export const yes = (value: boolean): string => (value ? "yes" : "no")

/** `3 GB of 10 GB`, or `3 GB` without a limit. */
export const usedOf = (used: bigint, limit: bigint | null): string =>
  limit === null ? showBytes(used) : `${showBytes(used)} of ${showBytes(limit)}`

/** The three limits as lines of a list of fields. */
export const limits = (limits: {
  readonly maxTraffic: bigint | null
  readonly maxSpeed: bigint | null
  readonly trafficResetPeriod: string | null
}) =>
  [
    ["max traffic", showBytes(limits.maxTraffic)],
    ["max speed", showSpeed(limits.maxSpeed)],
    ["starts anew", limits.trafficResetPeriod === null ? "never" : `every ${limits.trafficResetPeriod}`]
  ] as const

/** Says how to go on when a list has more. */
export const more = (cursor: string | null): string =>
  cursor === null ? "" : `\n\nThere is more: --all, or --cursor ${cursor}`
