/** What was reported, row by row: traffic reports, the access log, and batches set aside. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { AccessLog as AccessRecords, Id, Instant, RecordStore } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import * as Export from "./Export.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"

const between = { from: Schema.optional(Instant.Instant), to: Schema.optional(Instant.Instant) }

const places = {
  subscription_id: Schema.optional(Id.Uuid),
  inbound_id: Schema.optional(Id.Uuid),
  node_id: Schema.optional(Id.Uuid),
  ...between
}

const accesses = { ...places, auth_token_id: Schema.optional(Id.Uuid) }

const own = "An operator sees what was counted while the subscription was its own."

export class TrafficReports extends HttpApiGroup.make("trafficReports")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, ...places },
      success: Page.of(RecordStore.TrafficRecord),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List traffic reports",
        `Newest first; bytes of the interval (from, timestamp]; filtered by from ≤ timestamp < to. ${own}`
      )
    ),
    Export.endpoint("traffic reports", places)
  )
  .middleware(SignedIn)
  .prefix("/api/v1/traffic-reports")
  .annotateMerge(
    describe("Traffic reports", "What nodes counted, as long as report_retention keeps it; the sums stay for ever.")
  ) {}

export class AccessLog extends HttpApiGroup.make("accessLog")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, ...accesses },
      success: Page.of(AccessRecords.AccessRecord),
      error: Problem.reading
    }).annotateMerge(
      describe("List the access log", `Newest first, by when the use began; bytes; from ≤ timestamp < to. ${own}`)
    ),
    Export.endpoint("the access log", accesses)
  )
  .middleware(SignedIn)
  .prefix("/api/v1/access-log")
  .annotateMerge(
    describe(
      "Access log",
      "One row per span of use: opened by the first bytes after five idle minutes, no longer than an hour. No addresses."
    )
  ) {}

export class ReportConflicts extends HttpApiGroup.make("reportConflicts")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, node_id: Schema.optional(Id.Uuid), ...between },
      success: Page.of(RecordStore.ConflictRecord),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List batches set aside",
        "For superusers. Newest first; from ≤ received_at < to; without their entries."
      )
    ),
    HttpApiEndpoint.get("get", "/:id", {
      params: { id: Id.Uuid },
      success: RecordStore.ConflictBatch,
      error: Problem.reading
    }).annotateMerge(describe("Get a batch set aside", "For superusers. With every entry, in bytes."))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/report-conflicts")
  .annotateMerge(
    describe(
      "Report conflicts",
      "Batches whose number was taken by one with other contents, or lies below what their spool had acknowledged: kept, " +
        "never counted."
    )
  ) {}
