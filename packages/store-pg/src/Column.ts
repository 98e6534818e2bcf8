/** How values cross into SQL and back: instants as milliseconds, sums as numeric, buckets as they are read. */
import type { Instant, Quota } from "@vpnmgr/core"
import type { SqlClient, Statement } from "effect/sql"

/** Reads a timestamptz as milliseconds since the epoch; `infinity` is `Infinity`. */
export const millis = (column: string): string => `round(date_part('epoch', ${column}) * 1000)`

/** Writes an instant as a timestamptz; `Infinity` is `infinity`, null is null. */
export const at = (sql: SqlClient.SqlClient, instant: Instant.Instant | null): Statement.Fragment =>
  sql`to_timestamp(${instant}::float8 / 1000)`

/**
 * Writes numbers, ids or nulls as an array's text, to be cast: `${list(values)}::text::float8[]`. The client infers an
 * array's type from its elements, which nulls and numbers of unlike size do not have. Not for what a person typed.
 */
export const list = (values: ReadonlyArray<number | bigint | string | null>): string =>
  `{${values.map((value) => value ?? "NULL").join(",")}}`

/** A bucket as `bucketColumns` reads it. */
export interface BucketRow extends Omit<Quota.Bucket, "window" | "used"> {
  readonly windowStart: Instant.Instant
  readonly windowEnd: Instant.Instant
  readonly used: string
}

const bucketFields = `b.kind, b.id, b.ref, b.max_traffic AS "maxTraffic", b.period, ${millis("b.anchor")} AS anchor,
  ${millis("b.cut")} AS cut, ${millis("b.window_start")} AS "windowStart", ${millis("b.window_end")} AS "windowEnd",
  ${millis("b.exhausted_until")} AS "exhaustedUntil"`

/** The columns of `bucket b`, with `used` as its row has it: not an owner's. */
export const ownBucketColumns = `${bucketFields}, b.used`

/** The columns of `bucket b`, with an owner's `used` summed over its nodes. */
export const bucketColumns = `${bucketFields}, CASE b.kind WHEN 'subscription' THEN b.used ELSE coalesce((
    SELECT sum(u.used) FROM owner_usage u WHERE u.owner_id = b.id AND u.window_start = b.window_start), 0) END AS used`

/** The bucket a row is. */
export const bucketOf = ({ windowStart, windowEnd, used, ...row }: BucketRow): Quota.Bucket => ({
  ...row,
  window: { start: windowStart, end: windowEnd },
  used: BigInt(used)
})
