/** Nodes, their tokens and their inbounds in PostgreSQL. */
import type { Inbound, Instant } from "@vpnmgr/core"
import { Id, InventoryStore, Node, Vault } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import type { Statement } from "effect/sql"
import { SqlClient } from "effect/sql"
import { at, millis } from "./Column.ts"
import * as FleetList from "./FleetList.ts"
import { stored, written } from "./Failure.ts"
import type { InboundRow } from "./InboundRow.ts"
import { inboundColumns, make as makeInboundRow } from "./InboundRow.ts"
import { generationKey } from "./PgSettingStore.ts"

const nodeColumns = `n.id, n.description, n.geo, n.purpose, n.link_speed AS "linkSpeed",
  ${millis("n.created_at")} AS "createdAt", ${millis("n.updated_at")} AS "updatedAt"`

const tokenColumns = `id, node_id AS "nodeId", ${millis("created_at")} AS "createdAt", ${millis("revoked_at")} AS "revokedAt"`

type HealthRow = Node.NodeHealth & { readonly nodeId: string }

export const layer: Layer.Layer<InventoryStore.InventoryStore, never, SqlClient.SqlClient | Vault.Vault> = Layer.effect(
  InventoryStore.InventoryStore,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const inboundRow = makeInboundRow(yield* Vault.Vault)
    const first = <A>(rows: ReadonlyArray<A>): A | null => rows[0] ?? null
    const openAll = (rows: ReadonlyArray<InboundRow>) => Effect.forEach(rows, inboundRow.open)

    const health = Effect.fn("PgInventoryStore.health")(function* (
      nodeIds: ReadonlyArray<string>,
      now: Instant.Instant
    ) {
      const rows = yield* stored(sql<HealthRow>`SELECT n.id AS "nodeId",
          coalesce(h.reported_at >= ${at(sql, now - Node.activeFor)}, false) AS "isActive",
          ${sql.literal(millis("greatest(h.reported_at, a.seen_at)"))} AS "lastSeenAt",
          coalesce(r.revision, 0) AS revision, a.served_revision AS "servedRevision", p.changes AS "pendingChanges",
          a.protocol_version AS "protocolVersion", a.agent_version AS "agentVersion", a.plane_version AS "planeVersion",
          a.outcome AS "lastOutcome", ${sql.literal(millis("a.seen_at"))} AS "lastOutcomeAt", a.last_error AS "lastError",
          ${sql.literal(millis("a.last_error_at"))} AS "lastErrorAt", coalesce(h.is_cloned, false) AS "isCloned"
        FROM unnest(${nodeIds}::uuid[]) AS n (id)
        LEFT JOIN node_health h ON h.node_id = n.id
        LEFT JOIN node_applied a ON a.node_id = n.id
        LEFT JOIN node_head r ON r.node_id = n.id
        CROSS JOIN LATERAL (SELECT count(*)::int AS changes FROM (
          (SELECT kind, ref FROM node_dirty d WHERE d.node_id = n.id LIMIT ${BigInt(Node.mostPending)}::bigint)
          UNION
          (SELECT kind, ref FROM node_item t WHERE t.node_id = n.id AND t.revision > CASE
              WHEN a.served_generation = (SELECT value FROM setting WHERE key = ${generationKey})
              THEN coalesce(a.served_revision, 0) ELSE 0 END LIMIT ${BigInt(Node.mostPending)}::bigint)
          LIMIT ${BigInt(Node.mostPending)}::bigint) AS item) AS p`)
      return new Map(rows.map(({ nodeId, ...row }) => [nodeId, row]))
    })

    const insertInbound = Effect.fn("PgInventoryStore.insertInbound")(function* (inbound: Inbound.Inbound) {
      const settings = yield* inboundRow.seal(inbound)
      const rows = yield* stored(sql<{ readonly ref: number }>`
        WITH made AS (
          INSERT INTO inbound (id, node_id, host, port, listen, protocol, network, tls, geo, purpose, is_active,
            traffic_multiplier, settings, certificate, created_at, updated_at)
          VALUES (${inbound.id}, ${inbound.nodeId}, ${inbound.host}, ${inbound.port}, ${inbound.listen}, ${inbound.protocol},
            ${inbound.network}, ${inbound.tls}, ${inbound.geo}, ${inbound.purpose}, ${inbound.isActive},
            ${inbound.trafficMultiplier}, ${settings}, ${inbound.certificate}, ${at(sql, inbound.createdAt)},
            ${at(sql, inbound.updatedAt)})
          RETURNING id, ref, traffic_multiplier),
        held AS (INSERT INTO inbound_multiplier (inbound_id, since, traffic_multiplier)
          SELECT id, '-infinity', traffic_multiplier FROM made)
        SELECT ref FROM made`)
      return rows[0]!.ref
    })

    const updateInbound = Effect.fn("PgInventoryStore.updateInbound")(function* (inbound: Inbound.Inbound) {
      const settings = yield* inboundRow.seal(inbound)
      yield* stored(sql`UPDATE inbound SET host = ${inbound.host}, port = ${inbound.port}, listen = ${inbound.listen},
          protocol = ${inbound.protocol}, network = ${inbound.network}, tls = ${inbound.tls}, geo = ${inbound.geo},
          purpose = ${inbound.purpose}, is_active = ${inbound.isActive},
          traffic_multiplier = ${inbound.trafficMultiplier}, settings = ${settings}, certificate = ${inbound.certificate},
          created_at = ${at(sql, inbound.createdAt)}, updated_at = ${at(sql, inbound.updatedAt)}
        WHERE id = ${inbound.id} AND deleted_at IS NULL`)
    })

    const selectNode = (id: string, lock: string) =>
      Id.isUuid(id)
        ? Effect.map(
            stored(sql<Node.Node>`SELECT ${sql.literal(nodeColumns)} FROM node n
              WHERE n.id = ${id} AND n.deleted_at IS NULL ${sql.literal(lock)}`),
            first
          )
        : Effect.succeed(null)

    const deleteNode = (id: string, instant: Instant.Instant) =>
      written(sql`WITH gone AS (
          UPDATE node SET deleted_at = ${at(sql, instant)} WHERE id = ${id} AND deleted_at IS NULL RETURNING id),
        told AS (DELETE FROM node_item t USING gone g WHERE t.node_id = g.id),
        marked AS (DELETE FROM node_dirty d USING gone g WHERE d.node_id = g.id)
        UPDATE node_token k SET revoked_at = ${at(sql, instant)} FROM gone g
        WHERE k.node_id = g.id AND k.revoked_at IS NULL`)

    const selectInbounds = (where: Statement.Fragment, rest = "ORDER BY i.id") =>
      Effect.flatMap(
        stored(sql<InboundRow>`SELECT ${sql.literal(inboundColumns)} FROM inbound i
          WHERE ${where} AND i.deleted_at IS NULL ${sql.literal(rest)}`),
        openAll
      )

    const among = (ids: ReadonlyArray<string>) => sql`i.id = ANY(${ids.filter(Id.isUuid)}::uuid[])`

    const deleteInbound = Effect.fn("PgInventoryStore.deleteInbound")(function* (id: string, instant: Instant.Instant) {
      const unlinked = yield* stored(sql<{ readonly id: string }>`WITH gone AS (
          UPDATE inbound SET deleted_at = ${at(sql, instant)}, settings = '', certificate = NULL
          WHERE id = ${id} AND deleted_at IS NULL RETURNING id)
        UPDATE subscription_inbound l SET unlinked_at = ${at(sql, instant)} FROM gone g
        WHERE l.inbound_id = g.id AND l.unlinked_at IS NULL RETURNING l.subscription_id AS id`)
      return unlinked.map((row) => row.id).sort()
    })

    const storeCertificates = Effect.fn("PgInventoryStore.storeCertificates")(function* (
      nodeId: string,
      certificates: ReadonlyArray<{ readonly inbound: number; readonly pem: string }>
    ) {
      const refs = certificates.map((each) => BigInt(each.inbound))
      const changed = yield* stored(sql<{ readonly id: string }>`UPDATE inbound i SET certificate = new.pem
        FROM unnest(${refs}::bigint[], ${certificates.map((each) => each.pem)}::text[]) AS new (ref, pem)
        WHERE i.ref = new.ref AND i.node_id = ${nodeId} AND i.deleted_at IS NULL AND i.certificate IS DISTINCT FROM new.pem RETURNING i.id`)
      return changed.map(({ id }) => id)
    })

    return InventoryStore.InventoryStore.of({
      insertNode: (node) =>
        written(sql`INSERT INTO node (id, description, geo, purpose, link_speed, created_at, updated_at)
          VALUES (${node.id}, ${node.description}, ${node.geo}, ${node.purpose}, ${node.linkSpeed},
            ${at(sql, node.createdAt)}, ${at(sql, node.updatedAt)})`),
      updateNode: (node) =>
        written(sql`UPDATE node SET description = ${node.description}, geo = ${node.geo}, purpose = ${node.purpose},
            link_speed = ${node.linkSpeed}, created_at = ${at(sql, node.createdAt)}, updated_at = ${at(sql, node.updatedAt)}
          WHERE id = ${node.id} AND deleted_at IS NULL`),
      node: (id) => selectNode(id, ""),
      lockNode: (id) => selectNode(id, "FOR UPDATE"),
      listNodes: (filter, page, now) =>
        stored(sql<Node.Node>`SELECT ${sql.literal(nodeColumns)} FROM node n
          WHERE ${FleetList.nodes(sql, filter, page, now)} ORDER BY n.id LIMIT ${BigInt(page.limit)}::bigint`),
      deleteNode,
      health,
      insertToken: (token, keyHash) =>
        written(sql`INSERT INTO node_token (id, node_id, key_hash, created_at, revoked_at)
          VALUES (${token.id}, ${token.nodeId}, ${keyHash}, ${at(sql, token.createdAt)}, ${at(sql, token.revokedAt)})`),
      tokenByHash: (keyHash) =>
        Effect.map(
          stored(sql<Node.NodeToken>`SELECT ${sql.literal(tokenColumns)} FROM node_token WHERE key_hash = ${keyHash}`),
          first
        ),
      token: (id) =>
        Id.isUuid(id)
          ? Effect.map(
              stored(sql<Node.NodeToken>`SELECT ${sql.literal(tokenColumns)} FROM node_token WHERE id = ${id}`),
              first
            )
          : Effect.succeed(null),
      tokensOf: (nodeId) =>
        stored(
          sql<Node.NodeToken>`SELECT ${sql.literal(tokenColumns)} FROM node_token WHERE node_id = ${nodeId} ORDER BY id`
        ),
      revokeToken: (id, instant) =>
        written(sql`UPDATE node_token SET revoked_at = ${at(sql, instant)} WHERE id = ${id} AND revoked_at IS NULL`),
      insertInbound,
      updateInbound,
      inbounds: (ids) => selectInbounds(among(ids)),
      holdInbounds: (ids) => selectInbounds(among(ids), "ORDER BY i.id FOR KEY SHARE"),
      inboundsOnPort: (nodeId, port) => selectInbounds(sql`i.node_id = ${nodeId} AND i.port = ${port}`),
      listInbounds: (filter, page) =>
        Effect.flatMap(
          stored(sql<InboundRow>`SELECT ${sql.literal(inboundColumns)} FROM inbound i
            WHERE ${FleetList.inbounds(sql, filter, page)} ORDER BY i.id LIMIT ${BigInt(page.limit)}::bigint`),
          openAll
        ),
      lockInbound: (id) =>
        Id.isUuid(id) ? Effect.map(selectInbounds(sql`i.id = ${id}`, "FOR UPDATE"), first) : Effect.succeed(null),
      deleteInbound,
      recordMultiplier: (inboundId, multiplier, since) =>
        written(sql`INSERT INTO inbound_multiplier (inbound_id, since, traffic_multiplier)
          VALUES (${inboundId}, ${at(sql, since)}, ${multiplier})
          ON CONFLICT (inbound_id, since) DO UPDATE SET traffic_multiplier = EXCLUDED.traffic_multiplier`),
      storeCertificates
    })
  })
)
