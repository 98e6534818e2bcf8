/** Usage summed by what somebody asks for, over the pieces that stay. */
import type { BucketStore, Instant, Quota, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { at, millis } from "./Column.ts"
import { stored } from "./Failure.ts"

interface SumRow extends Pick<UsageStore.UsageSum, "at" | "inboundId" | "nodeId"> {
  readonly up: string
  readonly down: string
  readonly weighted: string
}

/** What pieces `p` are grouped by; days and hours are UTC's. */
const groups: Record<UsageStore.By, (kind: Quota.BucketKind) => string> = {
  hour: () => "date_trunc('hour', p.at, 'UTC')",
  day: () => "date_trunc('day', p.at, 'UTC')",
  inbound: () => "p.inbound_id",
  node: (kind) => (kind === "owner" ? "p.node_id" : "i.node_id")
}

const from: Record<Quota.BucketKind, (by: UsageStore.By) => string> = {
  subscription: (by) =>
    `usage_piece p ${by === "node" ? "JOIN inbound i ON i.id = p.inbound_id" : ""} WHERE p.subscription_id`,
  owner: () => "owner_piece p WHERE p.owner_id"
}

/** Makes the sums over a client: one statement each. */
export const make = (sql: SqlClient.SqlClient): UsageStore.UsageStore["Service"]["sums"] =>
  Effect.fn("PgUsageStore.sums")(function* (
    { kind, id }: BucketStore.BucketKey,
    by: UsageStore.By,
    since: Instant.Instant,
    until: Instant.Instant
  ) {
    const group = groups[by](kind)
    const isTime = by === "hour" || by === "day"
    const named = (is: boolean) => sql.literal(is ? group : "NULL")
    const rows = yield* stored(sql<SumRow>`SELECT ${sql.literal(isTime ? millis(group) : "NULL::float8")} AS at,
        ${named(by === "inbound")} AS "inboundId", ${named(by === "node")} AS "nodeId",
        sum(p.bytes_up) AS up, sum(p.bytes_down) AS down, sum(p.weighted) AS weighted
      FROM ${sql.literal(from[kind](by))} = ${id} AND p.at >= ${at(sql, since)} AND p.at < ${at(sql, until)}
      GROUP BY ${sql.literal(group)} ORDER BY ${sql.literal(group)}`)
    return rows.map((row) => ({
      ...row,
      up: BigInt(row.up),
      down: BigInt(row.down),
      weighted: BigInt(row.weighted)
    }))
  })
