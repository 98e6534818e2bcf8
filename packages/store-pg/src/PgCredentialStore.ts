/** Credentials and spares in PostgreSQL; a secret lies sealed for its own row. */
import type { Credential, Instant } from "@vpnmgr/core"
import { CredentialStore, Node, Vault } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { at } from "./Column.ts"
import { stored, written } from "./Failure.ts"
import * as PgTransaction from "./PgTransaction.ts"
import { generationKey } from "./PgSettingStore.ts"

/** Where a credential's secret is sealed for. */
export const place = (ref: Credential.CredentialRef): string => `credential|secret|${ref}`

const week = 7 * 86_400_000

type Refs = ReadonlyArray<{ readonly ref: number }>

const spare = "c.subscription_id IS NULL AND c.released AND c.retired_at IS NULL"

export const layer: Layer.Layer<CredentialStore.CredentialStore, never, SqlClient.SqlClient | Vault.Vault> =
  Layer.effect(
    CredentialStore.CredentialStore,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const vault = yield* Vault.Vault
      const atomic = PgTransaction.make(sql)

      const insert = Effect.fn("PgCredentialStore.insert")(function* (
        secrets: ReadonlyArray<Uint8Array>,
        released: boolean
      ) {
        if (secrets.length === 0) return []
        const numbers = yield* stored(sql<Refs[number]>`SELECT nextval('credential_ref_seq')::int AS ref
        FROM generate_series(1, ${secrets.length}::int)`)
        const refs = numbers.map(({ ref }) => ref)
        const sealed = yield* Effect.forEach(secrets, (secret, index) => vault.seal(place(refs[index]!), secret))
        yield* stored(sql`INSERT INTO credential (ref, secret, released)
        SELECT ref, decode(secret, 'base64'), ${released}::boolean FROM unnest(${refs}::int[],
          ${sealed.map((bytes) => Buffer.from(bytes).toString("base64"))}::text[]) AS new (ref, secret)`)
        return refs
      })

      /** Nodes of these inbounds that report, with the newest revision each says it serves. */
      const served = (inboundIds: ReadonlyArray<string>, now: Instant.Instant) => sql`(
      SELECT DISTINCT i.node_id, a.served_revision AS revision FROM inbound i
      JOIN node_health h ON h.node_id = i.node_id AND h.reported_at >= ${at(sql, now - Node.activeFor)}
      LEFT JOIN node_applied a ON a.node_id = i.node_id
        AND a.served_generation = (SELECT value FROM setting WHERE key = ${generationKey})
      WHERE i.id = ANY(${inboundIds}::uuid[]))`

      const takeOne = (
        subscriptionId: string,
        now: Instant.Instant,
        inboundIds: ReadonlyArray<string>,
        isConfirmed: boolean
      ) =>
        stored(sql<Refs[number]>`
        WITH served AS MATERIALIZED ${served(inboundIds, now)}
        UPDATE credential SET subscription_id = ${subscriptionId}, taken_at = ${at(sql, now)}
        WHERE ref = (
          SELECT c.ref FROM credential c
          WHERE ${sql.literal(spare)} AND (${!isConfirmed}::boolean OR NOT EXISTS (
            SELECT FROM served s WHERE NOT EXISTS (
              SELECT FROM node_item t WHERE t.node_id = s.node_id AND t.kind = 'credential' AND t.ref = c.ref
                AND t.revision <= s.revision)))
          ORDER BY c.ref LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
        RETURNING ref`)

      const take = Effect.fn("PgCredentialStore.take")(function* (
        subscriptionId: string,
        inboundIds: ReadonlyArray<string>,
        now: Instant.Instant
      ) {
        const [confirmed] = yield* takeOne(subscriptionId, now, inboundIds, true)
        if (confirmed !== undefined) return confirmed.ref
        const [any] = yield* takeOne(subscriptionId, now, inboundIds, false)
        return any?.ref ?? null
      })

      return CredentialStore.CredentialStore.of({
        insert: (secrets, released) => atomic(insert(secrets, released)),
        take: (subscriptionId, inboundIds, now) => atomic(take(subscriptionId, inboundIds, now)),
        assign: (ref, subscriptionId, now) =>
          written(
            sql`UPDATE credential SET subscription_id = ${subscriptionId}, taken_at = ${at(sql, now)} WHERE ref = ${ref}`
          ),
        retire: (ref, instant) =>
          written(sql`UPDATE credential SET secret = NULL, retired_at = ${at(sql, instant)}
          WHERE ref = ${ref} AND retired_at IS NULL`),
        release: Effect.map(
          stored(sql<Refs[number]>`UPDATE credential SET released = true WHERE NOT released AND retired_at IS NULL
          RETURNING ref`),
          (rows) => rows.map(({ ref }) => ref).sort((a, b) => a - b)
        ),
        takenSince: (since) =>
          Effect.map(
            stored(sql<Refs[number]>`SELECT ref FROM credential WHERE taken_at > ${at(sql, since)} ORDER BY ref`),
            (rows) => rows.map(({ ref }) => ref)
          ),
        pool: (now) =>
          Effect.map(
            stored(sql<CredentialStore.Pool>`SELECT
            (SELECT count(*)::int FROM credential c WHERE ${sql.literal(spare)}) AS spares,
            (SELECT count(*)::int FROM credential WHERE NOT released AND retired_at IS NULL
              AND subscription_id IS NOT NULL) AS unreleased,
            (SELECT count(*)::int FROM credential WHERE taken_at > ${at(sql, now - week)}
              AND taken_at <= ${at(sql, now)}) AS "takenLastWeek"`),
            ([row]) => row!
          )
      })
    })
  )
