/** What nodes are to be told, in PostgreSQL: marks are rows added with the change, revisions are allotted after it. */
import type { BucketStore, Credential, Quota } from "@vpnmgr/core"
import { Convergence, NodeStateStore, Vault } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import type { Statement } from "effect/sql"
import { SqlClient } from "effect/sql"
import { at, millis } from "./Column.ts"
import { stored, storedTogether, written } from "./Failure.ts"
import * as Listener from "./Listener.ts"
import { generationKey } from "./PgSettingStore.ts"
import * as PgTransaction from "./PgTransaction.ts"
import { make as makeRoster } from "./Roster.ts"

type Service = NodeStateStore.NodeStateStore["Service"]

const idsOf = (keys: ReadonlyArray<BucketStore.BucketKey>, kind: Quota.BucketKind): ReadonlyArray<string> =>
  keys.filter((key) => key.kind === kind).map((key) => key.id)

interface ConvergenceRow extends Omit<Convergence.NodeConvergence, "state"> {
  /** Null before its first word. */
  readonly outcome: Convergence.AppliedReport["outcome"] | null
}

interface HeadRow {
  readonly generation: string
  readonly revision: number
  readonly isRevoked: boolean
}

export const layer: Layer.Layer<
  NodeStateStore.NodeStateStore,
  never,
  SqlClient.SqlClient | Vault.Vault | Listener.Listener
> = Layer.effect(
  NodeStateStore.NodeStateStore,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const listener = yield* Listener.Listener
    const roster = makeRoster(sql, yield* Vault.Vault)
    const atomic = PgTransaction.make(sql)

    /**
     * Adds marks, and says on commit that there are some, and what changed. `items` selects (node_id, kind, ref); those of
     * deleted nodes are left out, or every change would pay for each node there ever was.
     */
    const mark = (items: Statement.Fragment, ...changes: ReadonlyArray<NodeStateStore.Changed>) =>
      written(sql`WITH marked AS (
          INSERT INTO node_dirty (node_id, kind, ref) SELECT DISTINCT node_id, kind, ref FROM (${items}) AS item (node_id, kind, ref)
          WHERE NOT EXISTS (SELECT FROM node n WHERE n.id = item.node_id AND n.deleted_at IS NOT NULL)
          RETURNING ref)
        SELECT pg_notify(${listener.channel}, ${Listener.dirtyPayload}) WHERE EXISTS (SELECT FROM marked)
        UNION ALL
        SELECT pg_notify(${listener.channel}, payload) FROM unnest(${changes.flatMap(Listener.payloadsOf)}::text[]) AS told (payload)`).pipe(
        Effect.tap(() => Effect.sync(() => changes.forEach(listener.tell)))
      )

    const markSubscriptions = (ids: ReadonlyArray<string>) =>
      mark(
        sql`
      SELECT i.node_id, item.kind, item.ref FROM subscription s
      JOIN subscription_inbound l ON l.subscription_id = s.id
      JOIN inbound i ON i.id = l.inbound_id
      CROSS JOIN LATERAL (
        SELECT 'credential', s.credential
        UNION ALL SELECT 'bucket', b.ref FROM bucket b
          WHERE (b.id = s.id AND b.kind = 'subscription') OR (b.id = s.owner_id AND b.kind = 'owner')
      ) AS item (kind, ref)
      WHERE s.id = ANY(${ids}::uuid[])`,
        { kind: "subscription", ids }
      )

    const markCredential = (ref: Credential.CredentialRef, subscriptionId: string) =>
      mark(sql`
      SELECT i.node_id, 'credential', ${ref}::int FROM subscription_inbound l JOIN inbound i ON i.id = l.inbound_id
      WHERE l.subscription_id = ${subscriptionId}`)

    const markSpares = (refs: ReadonlyArray<Credential.CredentialRef>) =>
      mark(sql`
      SELECT n.node_id, 'credential', spare.ref FROM (SELECT DISTINCT node_id FROM inbound WHERE deleted_at IS NULL) n, unnest(${refs}::int[]) AS spare (ref)`)

    const markBuckets: Service["markBuckets"] = (keys) =>
      mark(
        sql`
      SELECT i.node_id, 'bucket', b.ref FROM bucket b
      JOIN subscription s ON s.id = b.id AND s.deleted_at IS NULL
      JOIN subscription_inbound l ON l.subscription_id = s.id AND l.unlinked_at IS NULL
      JOIN inbound i ON i.id = l.inbound_id
      WHERE b.kind = 'subscription' AND b.id = ANY(${idsOf(keys, "subscription")}::uuid[])
      UNION ALL
      SELECT i.node_id, 'bucket', b.ref FROM bucket b
      JOIN subscription s ON s.owner_id = b.id AND s.deleted_at IS NULL
      JOIN subscription_inbound l ON l.subscription_id = s.id AND l.unlinked_at IS NULL
      JOIN inbound i ON i.id = l.inbound_id
      WHERE b.kind = 'owner' AND b.id = ANY(${idsOf(keys, "owner")}::uuid[])`,
        { kind: "subscription", ids: idsOf(keys, "subscription") },
        { kind: "owner", ids: idsOf(keys, "owner") }
      )

    /** A roster is read from its own node's links: on a new node there are none, however many subscriptions there are. */
    const markInbounds: Service["markInbounds"] = (ids, { roster }) => {
      const rosters = sql`SELECT DISTINCT node_id FROM inbound WHERE id = ANY(${ids}::uuid[]) AND ${roster}::boolean`
      return mark(
        sql`
      SELECT i.node_id, 'inbound', i.ref FROM inbound i WHERE i.id = ANY(${ids}::uuid[])
      UNION ALL
      SELECT n.node_id, 'credential', c.ref FROM (${rosters}) n JOIN credential c
        ON c.subscription_id IS NULL AND c.released AND c.retired_at IS NULL
      UNION ALL
      SELECT n.node_id, 'credential', c.ref FROM (${rosters}) n JOIN inbound i ON i.node_id = n.node_id
      JOIN subscription_inbound l ON l.inbound_id = i.id AND l.unlinked_at IS NULL
      JOIN subscription s ON s.id = l.subscription_id
      JOIN credential c ON c.ref = s.credential AND c.released AND c.retired_at IS NULL`,
        { kind: "everything" }
      )
    }

    const assign = Effect.gen(function* () {
      yield* stored(sql`SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.assign', 0))`)
      return yield* stored(sql<{ readonly nodeId: string; readonly revision: number }>`
        WITH taken AS (DELETE FROM node_dirty RETURNING node_id, kind, ref),
        heads AS (
          INSERT INTO node_head AS h (node_id, revision) SELECT DISTINCT node_id, 1 FROM taken
          ON CONFLICT (node_id) DO UPDATE SET revision = h.revision + 1 RETURNING node_id, revision),
        items AS (
          INSERT INTO node_item (node_id, kind, ref, revision)
          SELECT DISTINCT t.node_id, t.kind, t.ref, h.revision FROM taken t JOIN heads h ON h.node_id = t.node_id
          ON CONFLICT (node_id, kind, ref) DO UPDATE SET revision = EXCLUDED.revision)
        SELECT node_id AS "nodeId", revision, pg_notify(${listener.channel}, ${Listener.assignedPrefix} || node_id)::text AS told
        FROM heads ORDER BY node_id`)
    })

    const head: Service["head"] = Effect.fn("PgNodeStateStore.head")(function* (nodeId, tokenId) {
      const [row] = yield* stored(sql<HeadRow>`SELECT g.value AS generation, coalesce(h.revision, 0) AS revision,
          k.revoked_at IS NOT NULL AS "isRevoked"
        FROM setting g LEFT JOIN node_head h ON h.node_id = ${nodeId} LEFT JOIN node_token k ON k.id = ${tokenId ?? null}::uuid
        WHERE g.key = ${generationKey}`)
      return row!
    })

    const outdated: Service["outdated"] = Effect.fn("PgNodeStateStore.outdated")(function* (waiting) {
      const rows = yield* stored(sql<{ readonly place: number }>`SELECT w.place::int - 1 AS place
        FROM unnest(${waiting.map(({ nodeId }) => nodeId)}::uuid[], ${waiting.map(({ tokenId }) => tokenId)}::uuid[],
          ${waiting.map(({ generation }) => generation)}::text[], ${waiting.map(({ revision }) => revision)}::int[])
          WITH ORDINALITY AS w (node_id, token_id, generation, revision, place)
        JOIN setting g ON g.key = ${generationKey}
        LEFT JOIN node_head h ON h.node_id = w.node_id LEFT JOIN node_token k ON k.id = w.token_id
        WHERE w.generation <> g.value OR w.revision <> coalesce(h.revision, 0) OR k.revoked_at IS NOT NULL
        ORDER BY w.place`)
      return rows.map(({ place }) => place)
    })

    const load: Service["load"] = Effect.fn("PgNodeStateStore.load")((nodeId, since) =>
      storedTogether(
        sql
          .withTransaction(roster(nodeId, since))
          .pipe(Effect.provideService(SqlClient.BeginTransaction, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
      )
    )

    const recordApplied: Service["recordApplied"] = Effect.fn("PgNodeStateStore.recordApplied")((
      nodeId,
      report,
      protocolVersion,
      instant
    ) => {
      const isApplied = report.outcome === "applied"
      return written(sql`INSERT INTO node_applied AS a (node_id, seen_at, served_generation, served_revision, outcome, last_error,
          last_error_at, protocol_version, agent_version, plane_version)
        VALUES (${nodeId}, ${at(sql, instant)}, ${isApplied ? report.generation : null}, ${isApplied ? report.revision : null},
          ${report.outcome}, ${isApplied ? null : report.detail}, ${at(sql, isApplied ? null : instant)}, ${protocolVersion},
          ${report.agentVersion}, ${report.planeVersion})
        ON CONFLICT (node_id) DO UPDATE SET seen_at = EXCLUDED.seen_at, outcome = EXCLUDED.outcome,
          served_generation = coalesce(EXCLUDED.served_generation, a.served_generation),
          served_revision = coalesce(EXCLUDED.served_revision, a.served_revision),
          last_error = CASE WHEN ${isApplied}::boolean THEN a.last_error ELSE EXCLUDED.last_error END,
          last_error_at = CASE WHEN ${isApplied}::boolean THEN a.last_error_at ELSE EXCLUDED.last_error_at END,
          protocol_version = EXCLUDED.protocol_version, agent_version = EXCLUDED.agent_version,
          plane_version = EXCLUDED.plane_version`)
    })

    const wake = (nodeId: string) =>
      written(sql`SELECT pg_notify(${listener.channel}, ${Listener.assignedPrefix + nodeId})`)

    const convergence = Effect.fn("PgNodeStateStore.convergence")((subscriptionId: string) =>
      stored(sql<ConvergenceRow>`
        WITH mine AS (
          SELECT s.credential, item.kind, item.ref, coalesce(c.released, false) AS released
          FROM subscription s LEFT JOIN credential c ON c.ref = s.credential
          CROSS JOIN LATERAL (
            SELECT 'credential', s.credential
            UNION ALL SELECT 'bucket', b.ref FROM bucket b
              WHERE (b.id = s.id AND b.kind = 'subscription') OR (b.id = s.owner_id AND b.kind = 'owner')
          ) AS item (kind, ref)
          WHERE s.id = ${subscriptionId} AND s.deleted_at IS NULL),
        nodes AS (
          SELECT DISTINCT i.node_id FROM subscription_inbound l JOIN inbound i ON i.id = l.inbound_id
          WHERE l.subscription_id = ${subscriptionId} AND l.unlinked_at IS NULL)
        SELECT n.node_id AS "nodeId",
          coalesce(bool_and(m.released AND a.served_revision IS NOT NULL
            AND (t.revision IS NOT NULL OR m.kind <> 'credential') AND coalesce(t.revision, 0) <= a.served_revision
            AND NOT EXISTS (SELECT FROM node_dirty d WHERE d.node_id = n.node_id AND d.kind = m.kind AND d.ref = m.ref)
          ), false) AS converged,
          max(p.outcome) AS outcome, max(p.last_error) AS "lastError",
          ${sql.literal(millis("max(greatest(h.reported_at, p.seen_at))"))} AS "lastSeenAt"
        FROM nodes n CROSS JOIN mine m
        LEFT JOIN node_item t ON t.node_id = n.node_id AND t.kind = m.kind AND t.ref = m.ref
        LEFT JOIN node_applied a ON a.node_id = n.node_id
          AND a.served_generation = (SELECT value FROM setting WHERE key = ${generationKey})
        LEFT JOIN node_applied p ON p.node_id = n.node_id
        LEFT JOIN node_health h ON h.node_id = n.node_id
        GROUP BY n.node_id ORDER BY n.node_id`).pipe(
        Effect.map((rows) =>
          rows.map(({ outcome, ...row }) => {
            const state = Convergence.progress(row.converged, outcome)
            return { ...row, state, lastError: state === "failed" ? row.lastError : null }
          })
        )
      )
    )

    return NodeStateStore.NodeStateStore.of({
      markSubscriptions,
      markCredential,
      markSpares,
      markBuckets,
      markInbounds,
      assign: Effect.map(atomic(assign), (rows) => rows.map(({ nodeId, revision }) => ({ nodeId, revision }))),
      head,
      outdated,
      load,
      recordApplied,
      wake,
      convergence,
      dirtied: listener.dirtied,
      assigned: listener.assigned,
      hearChanges: listener.hearChanges,
      isListening: listener.isListening
    })
  })
)
