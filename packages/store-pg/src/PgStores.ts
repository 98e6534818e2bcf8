/** Every store in PostgreSQL 15 or newer. */
import type { Vault } from "@vpnmgr/core"
import { PgClient } from "@effect/sql-pg"
import type { Redacted } from "effect"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { refuse, type StartRefused } from "./Failure.ts"
import * as Listener from "./Listener.ts"
import { defaultSchema } from "./Migrations.ts"
import * as Pooler from "./Pooler.ts"
import * as Stores from "./Stores.ts"

export interface Options {
  /** `postgres://user:password@host:port/database`. */
  readonly url: Redacted.Redacted
  /** The schema the tables live in; `vpnmgr`. It names the notification channel, too. */
  readonly schema?: string | undefined
  /** Where LISTEN is said, when `url` leads to a pooler that cannot keep it: a way to PostgreSQL itself. */
  readonly listenUrl?: Redacted.Redacted | undefined
  /** Connections of the pool; 10. The change listener has one more of its own. */
  readonly maxConnections?: number | undefined
}

/**
 * How long a statement waits for a lock before its transaction is tried again, and a transaction for its next statement:
 * longer, and the locks of a replica that was frozen would keep the others waiting.
 */
const sessionDefaults = { lock_timeout: "5s", idle_in_transaction_session_timeout: "10s" }

/** The client with which the stores speak: every connection looks in the schema alone. */
export const layerClient = (options: Options): Layer.Layer<SqlClient.SqlClient | Listener.Listener, StartRefused> => {
  const schema = options.schema ?? defaultSchema
  const asked: PgClient.PgClientConfig = {
    url: options.url,
    applicationName: "vpnmgr",
    startupParameters: { search_path: `"${schema.replaceAll('"', '""')}"`, ...sessionDefaults }
  }
  const way = ({ config, way }: Pooler.Found) => {
    const client = PgClient.layerFrom(
      Effect.mapError(PgClient.make({ ...config, maxConnections: options.maxConnections ?? 10 }), refuse)
    )
    const checked = way === "direct" ? Effect.void : Effect.mapError(Pooler.check(schema, sessionDefaults), refuse)
    const listener =
      options.listenUrl !== undefined
        ? Listener.layerPg({ ...asked, url: options.listenUrl }, schema)
        : way === "transaction"
          ? Listener.layerDeaf(schema)
          : Listener.layerPg(config, schema)
    return listener.pipe(Layer.provideMerge(Layer.tap(client, (context) => Effect.provideContext(checked, context))))
  }
  return Layer.unwrap(Effect.map(Effect.mapError(Pooler.find(asked), refuse), way))
}

/** All stores over PostgreSQL, migrated and checked. */
export const layer = (options: Options): Layer.Layer<Stores.Stores, StartRefused, Vault.Vault> =>
  Stores.layer(options.schema ?? defaultSchema).pipe(Layer.provide(layerClient(options)))
