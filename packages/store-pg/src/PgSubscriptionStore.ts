/** Subscriptions in PostgreSQL. A deleted one stays as a tombstone, so that late bytes find their owner. */
import type { Instant, Subscription } from "@vpnmgr/core"
import { Id, SubscriptionList, SubscriptionStore, Vault } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { at, millis } from "./Column.ts"
import * as ConfigLookUp from "./ConfigLookUp.ts"
import { stored, written } from "./Failure.ts"
import * as Grams from "./Grams.ts"
import * as PgTransaction from "./PgTransaction.ts"
import * as Placing from "./Placing.ts"
import * as SubscriptionLink from "./SubscriptionLink.ts"
import * as SubscriptionPage from "./SubscriptionPage.ts"

const columns = `s.id, ${SubscriptionLink.linkColumn}, s.owner_id AS "ownerId", s.title, s.description,
  ${millis("s.expires_at")} AS "expiresAt", s.max_traffic AS "maxTraffic", s.max_speed AS "maxSpeed",
  s.traffic_reset_period AS "trafficResetPeriod", s.is_suspended AS "isSuspended", ${millis("s.anchor")} AS anchor,
  ARRAY(SELECT l.inbound_id FROM subscription_inbound l
    WHERE l.subscription_id = s.id AND l.unlinked_at IS NULL ORDER BY l.inbound_id) AS "inboundIds",
  s.credential, ${millis("s.created_at")} AS "createdAt", ${millis("s.updated_at")} AS "updatedAt"`

const none: Grams.Frequencies = new Map()

export const layer: Layer.Layer<SubscriptionStore.SubscriptionStore, never, SqlClient.SqlClient | Vault.Vault> =
  Layer.effect(
    SubscriptionStore.SubscriptionStore,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const vault = yield* Vault.Vault
      const links = SubscriptionLink.make(vault)
      const pageOf = SubscriptionPage.make(sql)
      const frequencies = yield* Grams.make(sql)
      const atomic = PgTransaction.make(sql)
      const copyPlace = Placing.make(sql)

      const insert = Effect.fn("PgSubscriptionStore.insert")(function* (subscription: Subscription.Subscription) {
        const link = yield* links.seal(subscription)
        yield* written(sql`
          WITH made AS (
            INSERT INTO subscription (id, link_hash, link, owner_id, title, description, expires_at, max_traffic, max_speed,
              traffic_reset_period, is_suspended, anchor, credential, created_at, updated_at, title_key, search_key)
            VALUES (${subscription.id}, ${SubscriptionLink.hashOf(subscription.link)}, ${link},
              ${subscription.ownerId}, ${subscription.title}, ${subscription.description},
              ${at(sql, subscription.expiresAt)}, ${subscription.maxTraffic}, ${subscription.maxSpeed},
              ${subscription.trafficResetPeriod}, ${subscription.isSuspended}, ${at(sql, subscription.anchor)},
              ${subscription.credential}, ${at(sql, subscription.createdAt)}, ${at(sql, subscription.updatedAt)},
              ${SubscriptionList.titleKey(subscription)}, ${SubscriptionList.searchKey(subscription)})
            RETURNING id, owner_id, created_at),
          owned AS (INSERT INTO subscription_owner (subscription_id, since, owner_id)
            SELECT id, '-infinity', owner_id FROM made)
          INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
          SELECT DISTINCT id, inbound_id, created_at FROM made, unnest(${subscription.inboundIds}::uuid[]) AS l (inbound_id)`)
      })

      const update = Effect.fn("PgSubscriptionStore.update")(function* (subscription: Subscription.Subscription) {
        const link = yield* links.seal(subscription)
        yield* written(sql`UPDATE subscription SET link_hash = ${SubscriptionLink.hashOf(subscription.link)},
            link = ${link}, owner_id = ${subscription.ownerId},
            title = ${subscription.title}, description = ${subscription.description},
            expires_at = ${at(sql, subscription.expiresAt)}, max_traffic = ${subscription.maxTraffic},
            max_speed = ${subscription.maxSpeed}, traffic_reset_period = ${subscription.trafficResetPeriod},
            is_suspended = ${subscription.isSuspended}, anchor = ${at(sql, subscription.anchor)},
            credential = ${subscription.credential}, created_at = ${at(sql, subscription.createdAt)},
            updated_at = ${at(sql, subscription.updatedAt)}, title_key = ${SubscriptionList.titleKey(subscription)},
            search_key = ${SubscriptionList.searchKey(subscription)}
          WHERE id = ${subscription.id} AND deleted_at IS NULL`)
        yield* copyPlace([subscription.id])
      })

      const unlink = (id: string, kept: ReadonlyArray<string>, instant: Instant.Instant) =>
        written(sql`UPDATE subscription_inbound SET unlinked_at = ${at(sql, instant)}
          WHERE subscription_id = ${id} AND unlinked_at IS NULL AND inbound_id <> ALL(${kept}::uuid[])`)

      const setInbounds = Effect.fn("PgSubscriptionStore.setInbounds")(
        (id: string, inboundIds: ReadonlyArray<string>, instant: Instant.Instant) =>
          Effect.all(
            [
              unlink(id, inboundIds, instant),
              written(sql`INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
              SELECT DISTINCT s.id, l.inbound_id, ${at(sql, instant)}
              FROM subscription s, unnest(${inboundIds}::uuid[]) AS l (inbound_id)
              WHERE s.id = ${id} AND s.deleted_at IS NULL
              ON CONFLICT (subscription_id, inbound_id) DO UPDATE
                SET unlinked_at = NULL, linked_at = EXCLUDED.linked_at WHERE subscription_inbound.unlinked_at IS NOT NULL`),
              copyPlace([id])
            ],
            { discard: true }
          )
      )

      const linkInbound: SubscriptionStore.SubscriptionStore["Service"]["linkInbound"] = Effect.fn(
        "PgSubscriptionStore.linkInbound"
      )((inboundId, { link, unlink }, instant) =>
        written(sql`
          WITH unlinked AS (
            UPDATE subscription_inbound SET unlinked_at = ${at(sql, instant)}
            WHERE inbound_id = ${inboundId} AND subscription_id = ANY(${unlink}::uuid[]) AND unlinked_at IS NULL
            RETURNING subscription_id),
          linked AS (
            INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
            SELECT id, ${inboundId}, ${at(sql, instant)} FROM subscription
            WHERE id = ANY(${link}::uuid[]) AND deleted_at IS NULL
            ON CONFLICT (subscription_id, inbound_id) DO UPDATE SET unlinked_at = NULL, linked_at = EXCLUDED.linked_at
              WHERE subscription_inbound.unlinked_at IS NOT NULL
            RETURNING subscription_id)
          UPDATE subscription SET updated_at = greatest(updated_at + interval '1 millisecond', ${at(sql, instant)})
          WHERE id IN (SELECT subscription_id FROM unlinked UNION ALL SELECT subscription_id FROM linked)`).pipe(
          Effect.andThen(copyPlace(link)),
          atomic
        )
      )

      const inboundsOf = (nodeId: string) =>
        Effect.map(stored(sql<{ readonly id: string }>`SELECT id FROM inbound WHERE node_id = ${nodeId}`), (rows) =>
          rows.map(({ id }) => id)
        )

      const list = Effect.fn("PgSubscriptionStore.list")(function* (
        filter: SubscriptionList.Filter,
        page: SubscriptionList.Page
      ) {
        const known = {
          inboundIds: filter.nodeId === undefined ? [] : yield* inboundsOf(filter.nodeId),
          frequencies: filter.search === undefined ? none : yield* frequencies
        }
        const read = (statement: Statement.Fragment) =>
          stored(sql<SubscriptionLink.SubscriptionRow>`
            WITH page AS (${statement})
            SELECT ${sql.literal(columns)} FROM page p JOIN subscription s ON s.id = p.id
            ORDER BY ${sql.literal(SubscriptionPage.order(page, "p."))}`)
        const { near, far } = pageOf(filter, page, known)
        const first = yield* read(near)
        const rows = far === null || first.length >= page.limit ? first : yield* read(far)
        return yield* Effect.forEach(rows, links.open)
      })

      return SubscriptionStore.SubscriptionStore.of({
        insert,
        update,
        get: (id) =>
          Id.isUuid(id)
            ? Effect.flatMap(
                stored(sql<SubscriptionLink.SubscriptionRow>`SELECT ${sql.literal(columns)} FROM subscription s
                  WHERE s.id = ${id} AND s.deleted_at IS NULL`),
                ([row]) => (row === undefined ? Effect.succeed(null) : links.open(row))
              )
            : Effect.succeed(null),
        byIds: (ids) =>
          stored(sql<SubscriptionLink.SubscriptionRow>`SELECT ${sql.literal(columns)} FROM subscription s
            WHERE s.id = ANY(${ids}::uuid[]) AND s.deleted_at IS NULL`).pipe(
            Effect.flatMap(Effect.forEach(links.open))
          ),
        list,
        linkInbound,
        countOwned: (ownerId) =>
          Effect.map(
            stored(sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM subscription
              WHERE owner_id = ${ownerId} AND deleted_at IS NULL`),
            ([row]) => row!.count
          ),
        setInbounds: (id, inboundIds, instant) => atomic(setInbounds(id, inboundIds, instant)),
        recordOwner: (id, ownerId, since) =>
          atomic(
            Effect.andThen(
              written(sql`INSERT INTO subscription_owner (subscription_id, since, owner_id)
            VALUES (${id}, ${at(sql, since)}, ${ownerId})
            ON CONFLICT (subscription_id, since) DO UPDATE SET owner_id = EXCLUDED.owner_id`),
              copyPlace([id])
            )
          ),
        delete: (id, instant) =>
          atomic(
            Effect.andThen(
              unlink(id, [], instant),
              written(sql`UPDATE subscription SET link_hash = NULL, link = NULL, title = NULL, description = NULL,
                title_key = '', search_key = '',
                deleted_at = ${at(sql, instant)} WHERE id = ${id} AND deleted_at IS NULL`)
            )
          ),
        forConfigs: ConfigLookUp.make(sql, vault)
      })
    })
  )
