/** For load balancers and supervisors (`/health`). */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { describe } from "./Operation.ts"

const Ok = Schema.Struct({ status: Schema.Literal("ok") })

export class Health extends HttpApiGroup.make("health")
  .add(
    HttpApiEndpoint.get("live", "/live", { success: Ok }).annotateMerge(
      describe("Whether the process runs", "For supervisors: it answers while anything is answered at all.")
    ),
    HttpApiEndpoint.get("ready", "/ready", { success: Ok }).annotateMerge(
      describe("Whether requests can be answered", "503 while the store is away, or while the server is stopping.")
    )
  )
  .prefix("/health")
  .annotateMerge(describe("Health")) {}
