/** The stores the settings ask for, opened and migrated: PostgreSQL, or embedded in the data directory. */
import { SettingStore } from "@vpnmgr/core"
import type { Transaction, Vault } from "@vpnmgr/core"
import { NodeVault, PgliteStores, PgStores } from "@vpnmgr/store-pg"
import type { Stores } from "@vpnmgr/store-pg"
import { Effect, Layer } from "effect"
import type { Redacted } from "effect"
import { Failed, failed } from "../Failed.ts"
import type { ServerSettings } from "../settings/ServerSettings.ts"
import { showSpan } from "../settings/Value.ts"

/** Every store and the vault they seal with. */
export const layer = (settings: ServerSettings, key: Redacted.Redacted<Uint8Array>) => {
  const { databaseConnections, databaseListenUrl, databaseSchema, databaseUrl, dataDirectory } = settings
  const stores =
    databaseUrl === null
      ? PgliteStores.layer({ directory: dataDirectory })
      : PgStores.layer({
          url: databaseUrl,
          listenUrl: databaseListenUrl ?? undefined,
          schema: databaseSchema,
          maxConnections: databaseConnections
        })
  return stores.pipe(
    Layer.provideMerge(NodeVault.layer(key)),
    Layer.catch(({ detail, isHeld }) =>
      Layer.effectContext<Stores | Vault.Vault, Failed, never>(
        isHeld === true ? new Failed({ message: detail, status: 503 }) : failed(detail)
      )
    )
  )
}

/** Says why the stores could not be asked. */
export const inWords = (error: StoreError | Failed): Failed => {
  if (error._tag === "Failed") return error
  const { reason } = error
  return failed(reason._tag === "StoreUnavailable" ? `the database: ${reason.detail}` : `the database: ${reason._tag}`)
}

type StoreError = Transaction.StoreError

/** Keeps the grain a store was made with, and refuses another: its windows are sums of pieces of that length. */
export const holdGrain = Effect.fn("Store.holdGrain")(function* (
  grain: number
): Effect.fn.Return<void, Failed, SettingStore.SettingStore> {
  const settings = yield* SettingStore.SettingStore
  const kept = Number(yield* settings.claim("grain", String(grain)).pipe(Effect.mapError(inWords)))
  if (kept !== grain)
    return yield* failed(
      `this database was made with a grain of ${showSpan(kept)}; set grain to that, not ${showSpan(grain)}`
    )
})
