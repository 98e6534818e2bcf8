/** Every store embedded in the process, in a directory or in memory: the same SQL as `PgStores`. */
import type { Vault } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { join } from "node:path"
import * as DirectoryLock from "./DirectoryLock.ts"
import { refuse, type StartRefused } from "./Failure.ts"
import * as Listener from "./Listener.ts"
import { defaultSchema } from "./Migrations.ts"
import * as PgLeaseStore from "./PgLeaseStore.ts"
import * as Pglite from "./Pglite.ts"
import * as Stores from "./Stores.ts"

/** A directory, held for the life of the process, or memory, gone with it. */
export type Options = { readonly directory: string } | { readonly memory: true }

/** The client with which the stores speak, and the hold on its directory. */
export const layerClient = (options: Options): Layer.Layer<SqlClient.SqlClient | Listener.Listener, StartRefused> => {
  const schema = defaultSchema
  const dataDir = "directory" in options ? join(options.directory, "pgdata") : undefined
  const client = Pglite.layer({ dataDir, schema })
  const listener = Listener.layerOf(schema, (hear) =>
    Effect.flatMap(Pglite.Notifications, ({ listen }) => Effect.mapError(listen(schema, hear), refuse))
  )
  const embedded = listener.pipe(Layer.provideMerge(client))
  return "directory" in options
    ? embedded.pipe(Layer.provide(Layer.effectDiscard(DirectoryLock.hold(options.directory))))
    : embedded
}

/** All stores over PGlite, migrated and checked. Nobody else has them open, so whoever held a lease is gone. */
export const layer = (options: Options): Layer.Layer<Stores.Stores, StartRefused, Vault.Vault> =>
  Stores.layer(defaultSchema).pipe(
    Layer.tap(() => PgLeaseStore.free),
    Layer.provide(layerClient(options))
  )
