/**
 * The smallest span that windows, anchors and periods are made of, milliseconds: one hour. Rollup pieces are a grain
 * long, so any window is a sum of whole pieces. Fixed for the life of a store; seconds in tests.
 */
import { Context } from "effect"

export const Grain = Context.Reference<number>("@vpnmgr/core/Grain", { defaultValue: () => 3_600_000 })
