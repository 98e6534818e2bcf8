/**
 * Answers by key in PostgreSQL. A key is held by an advisory lock of its transaction: whoever comes second is told at
 * once and holds no connection while the first one works.
 */
import { IdempotencyStore, Vault } from "@vpnmgr/core"
import { Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { at } from "./Column.ts"
import { stored, written } from "./Failure.ts"

/** What lies sealed in a row. */
const Sealed = Schema.fromJsonString(Schema.Struct({ fingerprint: Schema.String, answer: Schema.String }))

const place = ({ actorId, key }: IdempotencyStore.Scope): string => `idempotency_key|answer|${actorId} ${key}`

export const layer: Layer.Layer<IdempotencyStore.IdempotencyStore, never, SqlClient.SqlClient | Vault.Vault> =
  Layer.effect(
    IdempotencyStore.IdempotencyStore,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const vault = yield* Vault.Vault
      return IdempotencyStore.IdempotencyStore.of({
        claim: Effect.fnUntraced(function* (scope, since) {
          const [lock] = yield* stored(sql<{ readonly taken: boolean }>`SELECT pg_try_advisory_xact_lock(
            hashtextextended(current_schema() || '.idempotency_key.' || ${`${scope.actorId} ${scope.key}`}, 0)) AS taken`)
          if (!lock!.taken) return { _tag: "InProgress" as const }
          const [row] = yield* stored(sql<{ readonly answer: string }>`SELECT encode(answer, 'base64') AS answer
            FROM idempotency_key WHERE actor_id = ${scope.actorId} AND key = ${scope.key}
              AND answered_at >= ${at(sql, since)}`)
          if (row === undefined) return { _tag: "Mine" as const }
          const sealed = new Uint8Array(Buffer.from(row.answer, "base64"))
          const opened = new TextDecoder().decode(yield* Effect.orDie(vault.open(place(scope), sealed)))
          return { _tag: "Answered" as const, ...Schema.decodeSync(Sealed)(opened) }
        }),
        keep: Effect.fnUntraced(function* (scope, kept, now) {
          const sealed = yield* vault.seal(place(scope), new TextEncoder().encode(Schema.encodeSync(Sealed)(kept)))
          yield* written(sql`INSERT INTO idempotency_key (actor_id, key, answer, answered_at)
            VALUES (${scope.actorId}, ${scope.key}, ${sealed}, ${at(sql, now)})
            ON CONFLICT (actor_id, key) DO UPDATE SET answer = EXCLUDED.answer, answered_at = EXCLUDED.answered_at`)
        }),
        forget: (before, limit) =>
          Effect.map(
            stored(sql`DELETE FROM idempotency_key WHERE (actor_id, key) IN (
              SELECT actor_id, key FROM idempotency_key WHERE answered_at < ${at(sql, before)}
              ORDER BY answered_at LIMIT ${limit} FOR UPDATE SKIP LOCKED) RETURNING key`),
            (rows) => rows.length
          )
      })
    })
  )
