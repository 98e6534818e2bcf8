/** The filters of the records' lists and exports, from their names on the wire to those of the core. */
import type { AuditLog, QuarantineStore, RecordStore, SealStore } from "@vpnmgr/core"
import { present } from "./Paging.ts"

type Query<Names extends string> = { readonly [K in Names]?: string | undefined } & {
  readonly from?: number | undefined
  readonly to?: number | undefined
}

type Places = Query<"subscription_id" | "inbound_id" | "node_id">

/** Of traffic reports. */
export const places = (query: Places): RecordStore.RecordFilter => {
  const { subscription_id: subscriptionId, inbound_id: inboundId, node_id: nodeId, from, to } = query
  return present({ subscriptionId, inboundId, nodeId, from, to })
}

/** Of the access log. */
export const accesses = (query: Places & Query<"auth_token_id">): RecordStore.AccessFilter => ({
  ...places(query),
  ...present({ authTokenId: query.auth_token_id })
})

/** Of the audit trail. */
export const changes = (query: Query<"actor_id" | "action" | "target_type" | "target_id">): AuditLog.AuditFilter => {
  const { actor_id: actorId, action, target_type: targetType, target_id: targetId, from, to } = query
  return present({ actorId, action, targetType, targetId, from, to })
}

/** Of the seals of the audit trail. */
export const days = ({ from, to }: Query<never>): SealStore.SealFilter => present({ from, to })

/** Of the quarantine. */
export const entries = (
  query: Query<"node_id"> & {
    readonly reason?: QuarantineStore.QuarantineRecord["reason"] | undefined
    readonly state?: QuarantineStore.State | undefined
  }
): QuarantineStore.QuarantineFilter => {
  const { node_id: nodeId, reason, state, from, to } = query
  return present({ nodeId, reason, state, from, to })
}

/** Of batches set aside. */
export const conflicts = (query: Query<"node_id">): RecordStore.ConflictFilter => {
  const { node_id: nodeId, from, to } = query
  return present({ nodeId, from, to })
}
