/**
 * What a report needs to know of a subscription, copied into its counter's row: the newest credential, the newest owner
 * and since when, and the numbers of the inbounds that it is or ever was linked to. One look finds a counter and all of
 * it (`UsageCount`). The tables it is copied from stay the truth, and what is older is in them alone.
 */
import type { Transaction } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, Statement } from "effect/sql"
import { written } from "./Failure.ts"

/** What is to be copied for these subscriptions, as a FROM clause. */
export const placesOf = (sql: SqlClient.SqlClient, ids: ReadonlyArray<string>): Statement.Fragment =>
  sql`(SELECT s.id, s.credential, o.owner_id, nullif(o.since, '-infinity') AS owner_since, ARRAY(
      SELECT i.ref FROM subscription_inbound l JOIN inbound i ON i.id = l.inbound_id
      WHERE l.subscription_id = s.id ORDER BY i.ref) AS inbounds
    FROM subscription s LEFT JOIN LATERAL (
      SELECT owner_id, since FROM subscription_owner WHERE subscription_id = s.id ORDER BY since DESC LIMIT 1) o ON true
    WHERE s.id = ANY(${ids}::uuid[]))`

/** Makes the copier over a client; it runs in the transaction of what it follows. */
export const make =
  (sql: SqlClient.SqlClient) =>
  (ids: ReadonlyArray<string>): Effect.Effect<void, Transaction.StoreError> =>
    ids.length === 0
      ? Effect.void
      : written(sql`UPDATE bucket b SET credential = p.credential, owner_id = p.owner_id, owner_since = p.owner_since,
          inbounds = p.inbounds
        FROM ${placesOf(sql, ids)} p WHERE b.id = p.id AND b.kind = 'subscription'
          AND (b.credential, b.owner_id, b.owner_since, b.inbounds)
            IS DISTINCT FROM (p.credential, p.owner_id, p.owner_since, p.inbounds)`)
