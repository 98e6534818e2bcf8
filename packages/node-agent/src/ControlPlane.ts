/**
 * The port to the server: three questions a node asks. The agent works on when none is answered.
 */
import { Context, type Effect, Schema } from "effect"
import { NodeState, type Convergence, type TrafficReport } from "@vpnmgr/core"

/** No answer, or none that makes sense now; ask again. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", { detail: Schema.String }) {}

/** An answer that asking again at once will not change. `code` is the problem's stable code, where it has one. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Int,
  code: Schema.NullOr(Schema.String),
  detail: Schema.String
}) {}

/** The two sides speak protocols that do not go together; `advice` says which to upgrade. */
export class ProtocolUnknown extends Schema.TaggedError<ProtocolUnknown>()("ProtocolUnknown", {
  theirs: Schema.String,
  advice: Schema.String
}) {}

export class ControlPlaneError extends Schema.TaggedError<ControlPlaneError>()("ControlPlaneError", {
  reason: Schema.Union([Unreachable, Refused, ProtocolUnknown])
}) {}

/** What the node has; revision 0 asks for the whole state. */
export interface Have {
  readonly generation: string
  readonly revision: number
}

export class ControlPlane extends Context.Service<
  ControlPlane,
  {
    /** The state if it differs from what the node has; null when nothing came within `wait` seconds. */
    readonly state: (have: Have, wait: number) => Effect.Effect<NodeState.NodeState | null, ControlPlaneError>
    /** Says what the node really serves. Idempotent. */
    readonly applied: (report: Convergence.AppliedReport) => Effect.Effect<void, ControlPlaneError>
    /** Hands a batch over. The same batch again changes nothing and gets the same answer. */
    readonly report: (report: TrafficReport.Report) => Effect.Effect<TrafficReport.Receipt, ControlPlaneError>
  }
>()("@vpnmgr/node-agent/ControlPlane") {}

const majorOf = (protocol: string): number => Number(/^(\d+)(\.\d+)?$/.exec(protocol)?.[1] ?? Number.NaN)

/** Null when the other side's protocol goes with ours (the same major); else which side to upgrade. */
export const upgradeAdvice = (theirs: string): string | null => {
  const [their, our] = [majorOf(theirs), majorOf(NodeState.protocolVersion)]
  if (their === our) return null
  return their > our
    ? `the server speaks node protocol ${theirs}, this agent ${NodeState.protocolVersion}: upgrade the agent`
    : `the server speaks node protocol ${theirs}, this agent ${NodeState.protocolVersion}: upgrade the server`
}
