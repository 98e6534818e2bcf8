/**
 * What stands between this process and PostgreSQL, found out at start. A pooler in transaction mode (PgBouncer) hands
 * its connections out for one transaction each: start-up parameters are refused or dropped, prepared statements are not
 * there in the next transaction, and LISTEN hears nothing.
 */
import { PgConnection } from "@effect/sql-pg"
import type { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { SqlClient } from "effect/sql"
import { StartRefused } from "./Failure.ts"

/** `session` is a pooler that gives each client a connection of its own, for as long as it stays. */
export type Way = "direct" | "session" | "transaction"

export interface Found {
  readonly way: Way
  /** How to connect: without what would not arrive, and without what would not last. */
  readonly config: PgClient.PgClientConfig
}

/** How often two connections are asked who serves them. */
const rounds = 10

const isRefused = ({ reason: { cause } }: SqlError.SqlError): boolean =>
  cause instanceof Error && cause.message.includes("unsupported startup parameter")

const servedBy = (connection: PgConnection.PgConnection) =>
  Effect.map(connection.query("SELECT pg_backend_pid() AS pid", [], false), ({ rows }) => Number(rows[0]?.["pid"]))

/** True when the two are served by one backend in turn, or one of them by several. */
const isShared = Effect.fnUntraced(function* (
  one: PgConnection.PgConnection,
  other: PgConnection.PgConnection
): Effect.fn.Return<boolean, SqlError.SqlError> {
  const [first, second] = [yield* servedBy(one), yield* servedBy(other)]
  if (first === second) return true
  for (let round = 1; round < rounds; round++)
    if ((yield* servedBy(one)) !== first || (yield* servedBy(other)) !== second) return true
  return false
})

/**
 * Finds out the way. PostgreSQL tells each connection its backend's process id; a pooler tells an id of its own. One
 * connection is opened on a direct way, two more where there is a pooler.
 */
export const find = Effect.fn("Pooler.find")(function* (
  config: PgClient.PgClientConfig
): Effect.fn.Return<Found, SqlError.SqlError> {
  const { startupParameters: _, ...bare } = config
  const unprepared = { ...bare, prepare: false }
  const look = (config: PgClient.PgClientConfig) =>
    Effect.scoped(
      Effect.gen(function* () {
        const one = yield* PgConnection.make(config)
        if ((yield* servedBy(one)) === one.processId) return "direct" as const
        return (yield* isShared(one, yield* PgConnection.make(config)))
          ? ("transaction" as const)
          : ("session" as const)
      })
    )
  const asGiven: Effect.Effect<Found, SqlError.SqlError> = Effect.map(look(config), (way) => ({
    way,
    config: way === "transaction" ? unprepared : config
  }))
  return yield* asGiven.pipe(
    Effect.catchIf(isRefused, () =>
      Effect.map(look(unprepared), (way) => ({ way, config: way === "transaction" ? unprepared : bare }))
    )
  )
})

interface Standing {
  readonly role: string
  readonly database: string
  readonly path: string
  readonly lockTimeout: string
  readonly idleTimeout: string
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** Refuses connections that lack what start-up parameters would have set, and says how to give it to them. */
export const check = Effect.fn("Pooler.check")(function* (
  schema: string,
  defaults: { readonly lock_timeout: string; readonly idle_in_transaction_session_timeout: string }
): Effect.fn.Return<void, StartRefused | SqlError.SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const [standing] = yield* sql<Standing>`SELECT current_user::text AS role, current_database()::text AS database,
    current_setting('search_path') AS path, current_setting('lock_timeout') AS "lockTimeout",
    current_setting('idle_in_transaction_session_timeout') AS "idleTimeout"`
  const { database, idleTimeout, lockTimeout, path, role } = standing!
  const looksIn = path.split(",")[0]!.trim()
  const missing = [
    ...(looksIn === schema || looksIn === quoted(schema) ? [] : [`search_path = ${quoted(schema)}`]),
    ...(lockTimeout === "0" ? [`lock_timeout = '${defaults.lock_timeout}'`] : []),
    ...(idleTimeout === "0"
      ? [`idle_in_transaction_session_timeout = '${defaults.idle_in_transaction_session_timeout}'`]
      : [])
  ]
  if (missing.length === 0) return
  const statements = missing.map((set) => `ALTER ROLE ${quoted(role)} IN DATABASE ${quoted(database)} SET ${set};`)
  return yield* new StartRefused({
    detail:
      "PostgreSQL is reached through a pooler that does not pass on what a connection needs. Give it to the role, as a " +
      `superuser: ${statements.join(" ")} Then let the pooler open its connections anew (PgBouncer's console: RECONNECT).`
  })
})
