/** Usage summed by what somebody asks for, over the pieces that stay. */
import type { BucketStore, Instant, Quota, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { at, millis } from "./Column.ts"
import { stored } from "./Failure.ts"
import * as Pending from "./Pending.ts"

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

/** Makes the sums over a client: a statement each, and one that asks what is not folded yet. */
export const make = (sql: SqlClient.SqlClient): UsageStore.UsageStore["Service"]["sums"] => {
  const pending = Pending.make(sql)
  const within = (since: Instant.Instant, until: Instant.Instant) =>
    sql`p.at >= ${at(sql, since)} AND p.at < ${at(sql, until)}`
  const from: Record<
    Quota.BucketKind,
    (
      id: string,
      by: UsageStore.By,
      since: Instant.Instant,
      until: Instant.Instant
    ) => Effect.Effect<Statement.Fragment, SqlError.SqlError>
  > = {
    subscription: (id, by, since, until) =>
      Effect.map(
        pending.pieces(id, since, until),
        (pieces) => sql`${pieces} p ${sql.literal(by === "node" ? "JOIN inbound i ON i.id = p.inbound_id" : "")}`
      ),
    owner: (id, _by, since, until) =>
      Effect.succeed(sql`owner_piece p WHERE p.owner_id = ${id} AND ${within(since, until)}`)
  }

  return Effect.fn("PgUsageStore.sums")(function* (
    { kind, id }: BucketStore.BucketKey,
    by: UsageStore.By,
    since: Instant.Instant,
    until: Instant.Instant
  ) {
    const group = groups[by](kind)
    const isTime = by === "hour" || by === "day"
    const named = (is: boolean) => sql.literal(is ? group : "NULL")
    const source = yield* stored(from[kind](id, by, since, until))
    const rows = yield* stored(sql<SumRow>`SELECT ${sql.literal(isTime ? millis(group) : "NULL::float8")} AS at,
        ${named(by === "inbound")} AS "inboundId", ${named(by === "node")} AS "nodeId",
        sum(p.bytes_up) AS up, sum(p.bytes_down) AS down, sum(p.weighted) AS weighted
      FROM ${source}
      GROUP BY ${sql.literal(group)} ORDER BY ${sql.literal(group)}`)
    return rows.map((row) => ({
      ...row,
      up: BigInt(row.up),
      down: BigInt(row.down),
      weighted: BigInt(row.weighted)
    }))
  })
}
