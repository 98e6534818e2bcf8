/** How the contract says what an operation does: one paragraph for the reference. */
import { OpenApi } from "effect/http-api"

/** Describes an endpoint or a group. */
export const describe = (summary: string, description?: string) =>
  OpenApi.annotations(description === undefined ? { summary } : { summary, description })
