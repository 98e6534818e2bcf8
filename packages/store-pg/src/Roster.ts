/** Reads what a node's state is composed of. Whoever calls sees to one snapshot. */
import type { Instant, NodeStateStore, Vault } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { BucketRow } from "./Column.ts"
import { bucketColumns, bucketOf, millis } from "./Column.ts"
import type { InboundRow } from "./InboundRow.ts"
import { inboundColumns, make as makeInboundRow } from "./InboundRow.ts"
import { place } from "./PgCredentialStore.ts"
import { generationKey } from "./PgSettingStore.ts"

interface CredentialRow {
  readonly ref: number
  readonly secret: Uint8Array
  readonly isSuspended: boolean | null
  readonly expiresAt: Instant.Instant | null
  readonly inbounds: ReadonlyArray<number> | null
  readonly bucket: number | null
  readonly ownerBucket: number | null
}

interface HeadRow {
  readonly generation: string
  readonly revision: number
  readonly spool: string | null
  readonly seq: bigint | null
}

type ItemRow = { readonly kind: "inbound" | "credential" | "bucket"; readonly ref: number }

/** Makes the reader over a client: five statements. */
export const make = (
  sql: SqlClient.SqlClient,
  vault: Vault.Vault["Service"]
): ((nodeId: string, since: number | null) => Effect.Effect<NodeStateStore.StateFacts, SqlError.SqlError>) => {
  const inboundRow = makeInboundRow(vault)

  /**
   * Differences are read by plans that are made once: each is small, and planning its statements anew took 2.6 ms of
   * PostgreSQL where running them took 0.7. What a whole state takes depends on its node.
   */
  const head = (nodeId: string, plans: "force_generic_plan" | "auto") =>
    sql<HeadRow>`SELECT g.value AS generation, coalesce(h.revision, 0) AS revision, s.spool, s.last_seq AS seq,
        set_config('plan_cache_mode', ${plans}, true)
      FROM setting g
      LEFT JOIN node_head h ON h.node_id = ${nodeId}
      LEFT JOIN LATERAL (SELECT spool, last_seq FROM spool WHERE node_id = ${nodeId} ORDER BY last_seen DESC LIMIT 1) s ON true
      WHERE g.key = ${generationKey}`

  /**
   * The links of a subscription `s` at the node: looked up by the node's inbounds, of which there are few, and not by the
   * subscription's, which may be one on every node. Each of a thousand nodes would read all thousand.
   */
  const linksHere = (
    nodeId: string
  ) => sql`subscription_inbound l WHERE l.subscription_id = s.id AND l.unlinked_at IS NULL
    AND l.inbound_id = ANY(ARRAY(SELECT id FROM inbound WHERE node_id = ${nodeId}::uuid))`

  const linkedHere = (nodeId: string) => sql`EXISTS (SELECT FROM ${linksHere(nodeId)})`

  const assignedCredentials = (nodeId: string, refs: ReadonlyArray<number> | null) => sql<CredentialRow>`
    SELECT c.ref, c.secret, s.is_suspended AS "isSuspended", ${sql.literal(millis("s.expires_at"))} AS "expiresAt",
      ARRAY(SELECT (SELECT i.ref FROM inbound i WHERE i.id = l.inbound_id) AS ref FROM ${linksHere(nodeId)}
        ORDER BY ref) AS inbounds,
      b.ref AS bucket, o.ref AS "ownerBucket"
    FROM subscription s
    JOIN credential c ON c.ref = s.credential AND c.released AND c.secret IS NOT NULL
    JOIN bucket b ON b.id = s.id AND b.kind = 'subscription'
    LEFT JOIN bucket o ON o.id = s.owner_id AND o.kind = 'owner'
    WHERE s.deleted_at IS NULL AND ${
      refs === null
        ? sql`s.id IN (SELECT l.subscription_id FROM subscription_inbound l JOIN inbound i ON i.id = l.inbound_id
            WHERE i.node_id = ${nodeId} AND l.unlinked_at IS NULL)`
        : sql`s.id IN (SELECT subscription_id FROM credential WHERE ref = ANY(${refs}::int[]))
            AND c.ref = ANY(${refs}::int[]) AND ${linkedHere(nodeId)}`
    }`

  const spares = (refs: ReadonlyArray<number> | null) => sql<Pick<CredentialRow, "ref" | "secret">>`
    SELECT c.ref, c.secret FROM credential c
    WHERE c.subscription_id IS NULL AND c.released AND c.retired_at IS NULL
      AND ${refs === null ? sql`true` : sql`c.ref = ANY(${refs}::int[])`}`

  const buckets = (nodeId: string, refs: ReadonlyArray<number> | null) => sql<BucketRow>`
    SELECT ${sql.literal(bucketColumns)} FROM bucket b
    WHERE ${refs === null ? sql`true` : sql`b.ref = ANY(${refs}::int[])`} AND ${
      refs === null
        ? sql`(b.id, b.kind) IN (
            SELECT k.id, k.kind FROM subscription s
            CROSS JOIN LATERAL (VALUES (s.id, 'subscription'), (s.owner_id, 'owner')) AS k (id, kind)
            WHERE s.id IN (SELECT l.subscription_id FROM subscription_inbound l JOIN inbound i ON i.id = l.inbound_id
              WHERE i.node_id = ${nodeId} AND l.unlinked_at IS NULL) AND s.deleted_at IS NULL)`
        : sql`CASE b.kind
            WHEN 'subscription' THEN EXISTS (SELECT FROM subscription s
              WHERE s.id = b.id AND s.deleted_at IS NULL AND ${linkedHere(nodeId)})
            ELSE EXISTS (SELECT FROM subscription s
              WHERE s.owner_id = b.id AND s.deleted_at IS NULL AND ${linkedHere(nodeId)}) END`
    }
    ORDER BY b.kind DESC, b.id`

  const entry = (row: CredentialRow): Effect.Effect<NodeStateStore.RosterEntry> =>
    Effect.map(Effect.orDie(vault.open(place(row.ref), row.secret)), (secret) => ({
      ref: row.ref,
      secret,
      subscription:
        row.bucket === null
          ? null
          : {
              isSuspended: row.isSuspended!,
              expiresAt: row.expiresAt,
              inbounds: row.inbounds!,
              bucket: row.bucket,
              ownerBucket: row.ownerBucket
            }
    }))

  const nobody = { isSuspended: null, expiresAt: null, inbounds: null, bucket: null, ownerBucket: null }

  const changedSince = Effect.fnUntraced(function* (nodeId: string, since: number) {
    const items = yield* sql<ItemRow>`SELECT kind, ref FROM node_item
      WHERE node_id = ${nodeId} AND revision > ${since} ORDER BY kind, ref`
    const of = (kind: ItemRow["kind"]) => items.filter((item) => item.kind === kind).map((item) => item.ref)
    return { inbounds: of("inbound"), credentials: of("credential"), buckets: of("bucket") }
  })

  return Effect.fnUntraced(function* (nodeId: string, since: number | null) {
    const [found] = yield* head(nodeId, since === null ? "auto" : "force_generic_plan")
    const changed = since === null ? null : yield* changedSince(nodeId, since)
    const inbounds = yield* sql<InboundRow>`SELECT ${sql.literal(inboundColumns)} FROM inbound i
      WHERE i.node_id = ${nodeId} AND i.deleted_at IS NULL ORDER BY i.ref`
    const refs = changed?.credentials ?? null
    const rows = [
      ...(yield* assignedCredentials(nodeId, refs)),
      ...(yield* spares(refs)).map((row) => ({ ...row, ...nobody }))
    ]
    return {
      generation: found!.generation,
      revision: found!.revision,
      asOf: found!.spool === null ? null : { spool: found!.spool, seq: Number(found!.seq) },
      inbounds: yield* Effect.forEach(inbounds, inboundRow.open),
      credentials: yield* Effect.forEach(
        rows.sort((a, b) => a.ref - b.ref),
        entry
      ),
      buckets: (yield* buckets(nodeId, changed?.buckets ?? null)).map(bucketOf),
      changed
    }
  })
}
