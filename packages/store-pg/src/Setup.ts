/** What happens before a store serves: the schema is brought up to date, its identity and its key are checked. */
import { SettingStore, Vault } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { refuse, StartRefused } from "./Failure.ts"
import * as Migrations from "./Migrations.ts"
import * as PgSettingStore from "./PgSettingStore.ts"

const identityKey = "generation.of"
const canaryKey = "canary"
const canaryPlace = "setting|value|canary"

/**
 * Gives the store its generation, and another one when the database is not the one it was made in: a dump restored
 * elsewhere, a point-in-time recovery or a failover may have taken revisions back, so nodes take everything anew.
 */
const settleGeneration = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [made] = yield* sql<{ readonly identity: string }>`SELECT concat_ws('/', s.system_identifier,
      left(pg_walfile_name(pg_current_wal_lsn()), 8), (SELECT oid FROM pg_database WHERE datname = current_database())) AS identity
    FROM pg_control_system() s`.pipe(Effect.catch(() => Effect.succeed([{ identity: "unknown" }])))
  const identity = made!.identity
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`INSERT INTO setting (key, value) VALUES (${identityKey}, ${identity}) ON CONFLICT DO NOTHING`
      const moved = yield* sql`UPDATE setting SET value = ${identity} WHERE key = ${identityKey}
        AND value <> ${identity} AND ${identity} <> 'unknown' RETURNING key`
      const fresh = crypto.randomUUID()
      yield* sql`INSERT INTO setting (key, value) VALUES (${PgSettingStore.generationKey}, ${fresh}) ON CONFLICT DO NOTHING`
      if (moved.length === 0) return
      yield* sql`UPDATE setting SET value = ${fresh} WHERE key = ${PgSettingStore.generationKey}`
      yield* Effect.logWarning("the database is a restored one or another server: nodes take their whole state anew")
    })
  )
})

/** Opens what the first start sealed. A wrong key fails here, in words, before it can seal anything. */
const checkKey = Effect.gen(function* () {
  const vault = yield* Vault.Vault
  const settings = yield* SettingStore.SettingStore
  const sealed = yield* vault.seal(canaryPlace, new TextEncoder().encode(canaryKey))
  const standing = yield* settings.claim(canaryKey, Buffer.from(sealed).toString("base64"))
  yield* vault.open(canaryPlace, new Uint8Array(Buffer.from(standing, "base64"))).pipe(
    Effect.mapError(
      () =>
        new StartRefused({
          detail:
            "The encryption key is not the one this store was made with. Give that key: its secrets open with no other."
        })
    )
  )
}).pipe(Effect.provide(PgSettingStore.layer))

/** Prepares the schema for the stores. */
export const layer = (schema: string): Layer.Layer<never, StartRefused, SqlClient.SqlClient | Vault.Vault> =>
  Layer.effectDiscard(
    Migrations.run(schema).pipe(
      Effect.andThen(settleGeneration),
      Effect.andThen(checkKey),
      Effect.mapError(refuse),
      Effect.withSpan("Setup")
    )
  )
