/** How the contract says what an operation does: one paragraph for the reference, and what its answer shows only once. */
import { Context } from "effect"
import { OpenApi } from "effect/http-api"

/** Describes an endpoint or a group. */
export const describe = (summary: string, description?: string) =>
  OpenApi.annotations(description === undefined ? { summary } : { summary, description })

/**
 * The fields of an answer that are shown this once, in wire names: `.annotate(Operation.ShownOnce, ["key"])`. They are
 * not kept with an idempotency key, so they are null in a repeated answer; their schema allows it.
 */
export const ShownOnce = Context.Reference<ReadonlyArray<string>>("@vpnmgr/api/Operation/ShownOnce", {
  defaultValue: () => []
})
