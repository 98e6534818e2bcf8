/** `/node/v1`: what agents ask and tell. */
import { X509Certificate } from "node:crypto"
import { Access, Api, Problem } from "@vpnmgr/api"
import { Convergence, Enforcer, Inventory, NodeStates, PlainReport, TrafficReport } from "@vpnmgr/core"
import { Effect, Metric, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { LongPolls } from "../LongPolls.ts"
import * as Refusal from "../Refusal.ts"
import * as NodeBody from "../NodeBody.ts"

const polls = Metric.counter("state_polls_total", {
  description: "Polls for a node's state answered",
  incremental: true
})
const answered = Metric.withAttributes(polls, { outcome: "state" })
const unchanged = Metric.withAttributes(polls, { outcome: "unchanged" })

const isCertificate = ({ pem }: { readonly pem: string }): boolean => {
  try {
    return new X509Certificate(pem).publicKey !== undefined
  } catch {
    return false
  }
}

/** A certificate is pinned in configs as it came, and sing-box ends itself over one that it cannot read. */
const whole = Schema.makeFilter(({ certificates }: Convergence.AppliedReport) => {
  const wrong = certificates.findIndex((each) => !isCertificate(each))
  return wrong === -1 ? undefined : { path: ["certificates", wrong, "pem"], issue: "Expected an X.509 certificate" }
})

const applied = NodeBody.reader(Convergence.AppliedReport.pipe(Schema.check(whole)))
const report = NodeBody.reader(TrafficReport.Report, PlainReport.read)

const conflict = new Problem.BatchConflict({ detail: "This spool and seq were applied with other contents" })
const rewound = new Problem.SpoolRewound({
  detail: "This seq lies below what the spool acknowledged before: it was brought back from a copy and needs a new id"
})
const revoked = new Problem.Unauthorized({ detail: "The node's key was revoked" })

export const layer = HttpApiBuilder.group(
  Api,
  "node",
  Effect.fn(function* (handlers) {
    const states = yield* NodeStates.NodeStates
    const inventory = yield* Inventory.Inventory
    const enforcer = yield* Enforcer.Enforcer
    const longPolls = yield* LongPolls
    return handlers
      .handle(
        "state",
        Effect.fnUntraced(function* ({ query: { generation = "", revision = 0, wait = 0 } }) {
          const origin = yield* Access.CurrentNode
          const poll = states.poll(origin, { generation, revision }, wait * 1000).pipe(
            Effect.catchTag("TokenRevoked", () => Effect.fail(revoked)),
            Refusal.storeOnly
          )
          const state = yield* longPolls.wait(origin.nodeId, poll)
          yield* Metric.update(state === null ? unchanged : answered, 1)
          return state
        })
      )
      .handleRaw(
        "applied",
        Effect.fnUntraced(function* ({ request }) {
          const { nodeId, protocolVersion } = yield* Access.CurrentNode
          yield* Refusal.storing(inventory.applied(nodeId, yield* applied(request), protocolVersion))
        })
      )
      .handleRaw(
        "reports",
        Effect.fnUntraced(function* ({ request }) {
          const origin = yield* Access.CurrentNode
          return yield* enforcer.report(origin, yield* report(request)).pipe(
            Effect.catchTag("BatchConflict", () => Effect.fail(conflict)),
            Effect.catchTag("SpoolRewound", () => Effect.fail(rewound)),
            Effect.catchTag("StoreError", (failure) => Refusal.storing(Effect.fail(failure)))
          )
        })
      )
  })
)
