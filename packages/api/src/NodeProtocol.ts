/** What agents and the server say to each other (`/node/v1`). `Authorization: Bearer` with the node's key. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Convergence, NodeState, TrafficReport } from "@vpnmgr/core"
import { NodeSignedIn, protocolHeader } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Problem from "./Problem.ts"

/** Seconds a poll may wait at most. */
export const longestWait = 60

/** Bytes of a report at most, as sent and once inflated. */
export const reportSize = { sent: 1024 * 1024, inflated: 16 * 1024 * 1024 } as const

/** No body; null for whoever asks. */
const Unchanged = Schema.Null.pipe(HttpApiSchema.asNoContent({ decode: () => null }), HttpApiSchema.status(204))

const NonNegative = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(0)))

export class NodeProtocol extends HttpApiGroup.make("node")
  .add(
    HttpApiEndpoint.get("state", "/state", {
      query: {
        /** The generation of the state the agent has; absent when it has none. */
        generation: Schema.optional(Schema.String.pipe(Schema.check(Schema.isMaxLength(100)))),
        /** Its revision; absent or 0 when it has none. */
        revision: Schema.optional(NonNegative),
        /** Seconds to wait for a change. */
        wait: Schema.optional(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: longestWait }))))
      },
      success: [NodeState.NodeState, Unchanged]
    }).annotateMerge(
      describe(
        "Poll the node's state",
        `What the node should be serving if that differs from what it has: whole (since is null), else the difference. 204 when nothing came within wait seconds (at most ${longestWait}).`
      )
    ),
    HttpApiEndpoint.post("applied", "/applied", { payload: Convergence.AppliedReport }).annotateMerge(
      describe("Say what the node serves", "The outcome of applying one revision, and the certificates the agent made.")
    ),
    HttpApiEndpoint.post("reports", "/reports", {
      payload: TrafficReport.Report,
      success: TrafficReport.Receipt,
      error: [Problem.BatchConflict, Problem.SpoolRewound]
    }).annotateMerge(
      describe(
        "Report traffic",
        "One batch, in bytes; also the node's heartbeat. Repeating it changes nothing and answers the same. 409 batch_conflict when (spool, seq) was applied with other contents; 409 spool_rewound when seq is below what the spool once named as its lowest: the spool was brought back from a copy and needs a new id. Content-Encoding: gzip is accepted; at most 1 MiB as sent, 16 MiB inflated."
      )
    )
  )
  .middleware(NodeSignedIn)
  .prefix("/node/v1")
  .annotateMerge(
    describe("Node protocol", `For agents. Both sides name their version in the header ${protocolHeader}, such as 1.0.`)
  ) {}
