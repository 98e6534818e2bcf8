/** Settings in PostgreSQL. */
import { SettingStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { stored, written } from "./Failure.ts"

/** The key of the store's generation. */
export const generationKey = "generation"

export const layer: Layer.Layer<SettingStore.SettingStore, never, SqlClient.SqlClient> = Layer.effect(
  SettingStore.SettingStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const get = (key: string) =>
      Effect.map(
        stored(sql<{ readonly value: string }>`SELECT value FROM setting WHERE key = ${key}`),
        ([row]) => row?.value ?? null
      )
    return SettingStore.SettingStore.of({
      generation: Effect.map(get(generationKey), (value) => value!),
      get,
      set: (key, value) =>
        written(sql`INSERT INTO setting (key, value) VALUES (${key}, ${value})
          ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value`),
      claim: (key, value) =>
        Effect.map(
          stored(sql<{ readonly value: string }>`INSERT INTO setting (key, value) VALUES (${key}, ${value})
            ON CONFLICT (key) DO UPDATE SET value = setting.value RETURNING value`),
          ([row]) => row!.value
        ),
      remove: (key) =>
        Effect.map(stored(sql`DELETE FROM setting WHERE key = ${key} RETURNING key`), (rows) => rows.length > 0)
    })
  })
)
