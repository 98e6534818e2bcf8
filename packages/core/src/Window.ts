/**
 * The span in which a bucket's usage is summed. A reset is a window ending.
 *
 * An interval that ends at `to` belongs to the window with start < to ≤ end, however late it is reported. Windows are
 * always computed from the anchor, never from the window before.
 */
import type { Instant } from "./Instant.ts"
import { never } from "./Instant.ts"
import * as Period from "./Period.ts"

/** start < to ≤ end; a window that never ends has `end = Infinity`. */
export interface Window {
  readonly start: Instant
  readonly end: Instant
}

/** What windows are computed from. `cut` is the latest manual reset; it starts a window of its own. */
export interface Calendar {
  readonly anchor: Instant
  readonly period: Period.Period | null
  readonly cut: Instant | null
}

const before: Instant = 0

/**
 * The window that holds `at`: the k-th one with anchor + k × period < at ≤ anchor + (k + 1) × period, shortened to
 * begin at the latest manual reset. Without a period one window holds everything since that reset.
 */
export const at = ({ anchor, period, cut }: Calendar, instant: Instant): Window => {
  const whole = period === null ? { start: before, end: never } : cycle(anchor, period, instant)
  return cut !== null && cut > whole.start && cut < whole.end ? { start: cut, end: whole.end } : whole
}

const cycle = (anchor: Instant, period: Period.Period, instant: Instant): Window => {
  let index = Math.floor((instant - anchor) / Period.nominal(period)) - 1
  let start = Period.after(anchor, period, index)
  while (start >= instant) start = Period.after(anchor, period, --index)
  let end = Period.after(anchor, period, index + 1)
  while (end < instant) {
    start = end
    end = Period.after(anchor, period, ++index + 1)
  }
  return { start, end }
}

/** True when an interval that ends at `to` belongs to the window. */
export const holds = (window: Window, to: Instant): boolean => window.start < to && to <= window.end

/** The largest whole grain (milliseconds) at or before an instant. */
export const floor = (instant: Instant, grain: number): Instant => Math.floor(instant / grain) * grain

/**
 * Where the rollup piece begins that an interval ending at `to` adds to: the start of its grain, or the latest reset
 * inside that grain. Window edges are always piece edges, so any window is a sum of whole pieces.
 */
export const piece = (to: Instant, grain: number, cuts: ReadonlyArray<Instant>): Instant => {
  let start = Math.ceil(to / grain) * grain - grain
  for (const cut of cuts) if (cut < to && cut > start) start = cut
  return start
}
