/**
 * PostgreSQL inside the process: a thin SqlClient over PGlite.
 *
 * PGlite has one connection. A transaction holds it until it ends, and a plain statement waits for it, so that none
 * lands inside another fiber's transaction.
 */
import type { PGlite } from "@electric-sql/pglite"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, type Scope, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlConnection } from "effect/sql"
import { SqlClient, SqlError } from "effect/sql"
import { refuse, type StartRefused } from "./Failure.ts"

export interface Options {
  /** Where the data lies; in memory when absent. */
  readonly dataDir?: string | undefined
  /** The schema every statement looks in. */
  readonly schema: string
}

/** Calls back with what is notified on a channel, as long as the client lives. */
export class Notifications extends Context.Service<
  Notifications,
  { readonly listen: (channel: string, hear: (payload: string) => void) => Effect.Effect<void, SqlError.SqlError> }
>()("@vpnmgr/store-pg/Notifications") {}

const field = (cause: unknown, name: "code" | "constraint"): string =>
  typeof cause === "object" && cause !== null && name in cause ? String((cause as Record<string, unknown>)[name]) : ""

const reasonOf = (cause: unknown, operation: string): SqlError.SqlErrorReason => {
  const props = { cause, operation, message: cause instanceof Error ? cause.message : String(cause) }
  const state = field(cause, "code")
  if (state === "23505")
    return new SqlError.UniqueViolation({ ...props, constraint: field(cause, "constraint") || "unknown" })
  if (state.startsWith("23")) return new SqlError.ConstraintError(props)
  if (state === "42501") return new SqlError.AuthorizationError(props)
  if (state.startsWith("42")) return new SqlError.SqlSyntaxError(props)
  if (state === "40001") return new SqlError.SerializationError(props)
  if (state === "40P01") return new SqlError.DeadlockError(props)
  return new SqlError.UnknownError(props)
}

const failure = (operation: string) => (cause: unknown) => new SqlError.SqlError({ reason: reasonOf(cause, operation) })

const aborted = failure("commit")(new Error("COMMIT rolled back an aborted transaction"))

/** int8 as bigint, like sql-pg; PGlite alone gives a number where it fits. */
const parsers = { 20: BigInt }

const connectionTo = (db: PGlite): SqlConnection.Connection => {
  const query = (sql: string, params: ReadonlyArray<unknown>, rowMode: "array" | "object") =>
    Effect.uninterruptible(
      Effect.tryPromise({
        try: () => db.query<Record<string, unknown>>(sql, [...params], { rowMode, parsers }),
        catch: failure("execute")
      })
    )
  const rows: SqlConnection.Connection["execute"] = (sql, params, transform) =>
    Effect.map(query(sql, params, "object"), (result) =>
      transform === undefined ? result.rows : transform(result.rows)
    )
  const values: SqlConnection.Connection["executeValues"] = (sql, params) =>
    Effect.map(query(sql, params, "array"), (result) => result.rows as unknown as ReadonlyArray<ReadonlyArray<unknown>>)
  return {
    execute: rows,
    executeUnprepared: rows,
    executeRaw: (sql, params) => query(sql, params, "object"),
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, params, transform) => Stream.fromIterableEffect(rows(sql, params, transform))
  }
}

const make = Effect.fnUntraced(function* ({
  dataDir,
  schema
}: Options): Effect.fn.Return<
  Context.Context<SqlClient.SqlClient | Notifications>,
  SqlError.SqlError,
  Scope.Scope | Reactivity.Reactivity
> {
  const db = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const { PGlite } = await import("@electric-sql/pglite")
        return PGlite.create({ ...(dataDir === undefined ? {} : { dataDir }), relaxedDurability: false })
      },
      catch: failure("connect")
    }),
    (db) => Effect.promise(() => db.close())
  )
  const connection = connectionTo(db)
  yield* connection.executeUnprepared(`SET search_path = "${schema.replaceAll('"', '""')}"`, [], undefined)
  const turn = Semaphore.makeUnsafe(1)
  const lease = Effect.as(
    Effect.acquireRelease(turn.take(1), () => turn.release(1), { interruptible: true }),
    connection
  )
  const client = yield* SqlClient.make({
    acquirer: lease,
    borrower: (use) => turn.withPermit(use(connection)),
    transactionAcquirer: lease,
    compiler: PgClient.makeCompiler(),
    driver: "pglite",
    spanAttributes: [["db.system.name", "postgresql"]],
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    commit: (held) =>
      Effect.flatMap(held.executeRaw("COMMIT", []), (result) =>
        (result as { readonly command?: string }).command === "ROLLBACK" ? Effect.fail(aborted) : Effect.void
      )
  })
  const notifications = Notifications.of({
    listen: (channel, hear) =>
      turn.withPermit(
        Effect.asVoid(Effect.tryPromise({ try: () => db.listen(channel, hear), catch: failure("listen") }))
      )
  })
  return Context.make(SqlClient.SqlClient, client).pipe(Context.add(Notifications, notifications))
})

/** A client over a PGlite of its own. Nobody else may have its directory open: see `DirectoryLock`. */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient | Notifications, StartRefused> =>
  Layer.effectContext(Effect.mapError(make(options), refuse)).pipe(Layer.provide(Reactivity.layer))
