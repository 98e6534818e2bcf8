/** What lists of nodes and inbounds keep, as conditions on `node n` and `inbound i`. Deleted ones are never listed. */
import type { AuditLog, Inbound, Instant } from "@vpnmgr/core"
import { Node } from "@vpnmgr/core"
import type { SqlClient, Statement } from "effect/sql"
import { at } from "./Column.ts"

const chosen = (conditions: ReadonlyArray<Statement.Fragment | undefined>) =>
  conditions.filter((condition) => condition !== undefined)

/**
 * Nodes. Who is active is asked per node by key: an index on `reported_at` would make every report write it. Searched
 * text is compared row by row: a fleet is hundreds of rows.
 */
export const nodes = (
  sql: SqlClient.SqlClient,
  { geo, purpose, isActive, search }: Node.NodeFilter,
  { after }: AuditLog.Page,
  now: Instant.Instant
): Statement.Fragment => {
  const heard = sql`EXISTS (SELECT FROM node_health h
    WHERE h.node_id = n.id AND h.reported_at >= ${at(sql, now - Node.activeFor)})`
  return sql.and([
    sql`n.deleted_at IS NULL`,
    ...chosen([
      geo === undefined ? undefined : sql`n.geo = ${geo}`,
      purpose === undefined ? undefined : sql`n.purpose = ${purpose}`,
      isActive === undefined ? undefined : isActive ? heard : sql`NOT ${heard}`,
      search === undefined ? undefined : sql`strpos(lower(n.description), lower(${search})) > 0`,
      after === null ? undefined : sql`n.id > ${after}`
    ])
  ])
}

/** Inbounds. */
export const inbounds = (
  sql: SqlClient.SqlClient,
  { nodeId, geo, purpose, isActive, protocol, search }: Inbound.InboundFilter,
  { after }: AuditLog.Page
): Statement.Fragment =>
  sql.and([
    sql`i.deleted_at IS NULL`,
    ...chosen([
      nodeId === undefined ? undefined : sql`i.node_id = ${nodeId}`,
      geo === undefined ? undefined : sql`i.geo = ${geo}`,
      purpose === undefined ? undefined : sql`i.purpose = ${purpose}`,
      isActive === undefined ? undefined : sql`i.is_active = ${isActive}`,
      protocol === undefined ? undefined : sql`i.protocol = ${protocol}`,
      search === undefined ? undefined : sql`strpos(lower(i.host), lower(${search})) > 0`,
      after === null ? undefined : sql`i.id > ${after}`
    ])
  ])
