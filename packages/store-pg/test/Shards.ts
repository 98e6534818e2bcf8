/**
 * How the tables would lie on a distributed PostgreSQL (Citus): the hot ones, which nodes write by reporting and asking,
 * with the column their rows are spread by, and the others, which people change and every machine has whole. What is hot
 * in a new table's life has to be said here: a test takes no table that is in neither.
 */

/** Rows of a hot table lie with the subscription, the owner or the node that they are of. */
export type Kind = "subscription" | "owner" | "node" | "subscription or owner"

export interface Shard {
  readonly table: string
  readonly column: string
  readonly of: Kind
}

/** Every hot table. Every unique key of one contains its column. */
export const hot: ReadonlyArray<Shard> = [
  { table: "report_key", column: "node_id", of: "node" },
  { table: "spool", column: "node_id", of: "node" },
  { table: "traffic_report", column: "node_id", of: "node" },
  { table: "report_batch", column: "node_id", of: "node" },
  { table: "quarantine", column: "node_id", of: "node" },
  { table: "report_conflict", column: "node_id", of: "node" },
  { table: "node_health", column: "node_id", of: "node" },
  { table: "node_applied", column: "node_id", of: "node" },
  { table: "node_dirty", column: "node_id", of: "node" },
  { table: "node_item", column: "node_id", of: "node" },
  { table: "node_head", column: "node_id", of: "node" },
  { table: "usage_piece", column: "subscription_id", of: "subscription" },
  { table: "access_log", column: "subscription_id", of: "subscription" },
  { table: "owner_piece", column: "owner_id", of: "owner" },
  { table: "owner_usage", column: "owner_id", of: "owner" },
  { table: "bucket", column: "id", of: "subscription or owner" },
  { table: "bucket_cut", column: "bucket_id", of: "subscription or owner" }
]

/** Tables that people change: whole on every machine. */
export const whole: ReadonlyArray<string> = [
  "audit_closed",
  "audit_detachment",
  "audit_log",
  "audit_seal",
  "credential",
  "idempotency_key",
  "inbound",
  "inbound_multiplier",
  "lease",
  "membership",
  "migration",
  "node",
  "node_token",
  "session",
  "setting",
  "subscription",
  "subscription_inbound",
  "subscription_owner",
  "user_account",
  "user_group"
]

/** The table of `docs/guide/scale.md`. */
export const asTable = (): string =>
  [
    "| hot table | spread by | lies with its |",
    "|---|---|---|",
    ...hot.map(({ column, of, table }) => `| \`${table}\` | \`${column}\` | ${of} |`)
  ].join("\n")
