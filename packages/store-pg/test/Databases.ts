/** The stores under test: PostgreSQL in a database of the file's own, and PGlite in memory. */
import { Vault } from "@vpnmgr/core"
import { Layer, Redacted } from "effect"
import { inject } from "vitest"
import { createDatabase, missing } from "../../../scripts/vitest-postgres.ts"
import { PgliteStores, PgStores } from "../src/index.ts"
import * as Stores from "../src/Stores.ts"

const serverUrl = inject("postgresUrl")

/** Why the tests on PostgreSQL are skipped, as a part of their name; empty when they are not. */
export const skipped = serverUrl === null ? `: skipped, ${missing}` : ""

/** A vault with a key of 32 equal bytes. */
export const vault = (byte = 7): Layer.Layer<Vault.Vault> =>
  Vault.Vault.layer(Redacted.make(new Uint8Array(32).fill(byte)))

/** The URL of an empty database; a name nobody answers to when there is no PostgreSQL, and tests are skipped. */
export const database = (): Promise<string> =>
  serverUrl === null ? Promise.resolve("postgres://nobody@localhost:1/none") : createDatabase(serverUrl)

/** All stores in a database. */
export const postgres = (url: string, schema?: string) =>
  PgStores.layer({ url: Redacted.make(url), schema, maxConnections: 10 }).pipe(Layer.provide(vault()))

/** All stores in memory. */
export const pglite = PgliteStores.layer({ memory: true }).pipe(Layer.provide(vault()))

/** The same, with the client they speak through. */
export const postgresClient = (url: string, schema = "vpnmgr") =>
  Stores.layer(schema).pipe(
    Layer.provideMerge(PgStores.layerClient({ url: Redacted.make(url), schema, maxConnections: 10 })),
    Layer.provide(vault())
  )

/** The same, embedded. */
export const pgliteClient = Stores.layer("vpnmgr").pipe(
  Layer.provideMerge(PgliteStores.layerClient({ memory: true })),
  Layer.provide(vault())
)
