/** What PostgreSQL's errors mean to a caller of the ports. What cannot happen dies. */
import { Transaction } from "@vpnmgr/core"
import { Cause, Context, Effect, Schema } from "effect"
import { SqlError } from "effect/sql"

/** The store refuses to start, and says in words what to do about it. */
export class StartRefused extends Schema.TaggedError<StartRefused>()("StartRefused", {
  detail: Schema.String,
  /** Present and true when another process has the data directory: later it may be free. */
  isHeld: Schema.optionalKey(Schema.Boolean)
}) {
  override get message() {
    return this.detail
  }
}

/** One attempt at a transaction: set when a statement of it stood in another's way, whatever became of the failure. */
export const Attempt = Context.Reference<{ isContended: boolean } | null>("@vpnmgr/store-pg/Attempt", {
  defaultValue: () => null
})

/** The wire name of what must be unique, by the name of the constraint that says so. */
const fields: Readonly<Record<string, string>> = {
  user_account_username_key: "username",
  inbound_tcp_port_key: "port",
  inbound_udp_port_key: "port",
  subscription_link_key: "link",
  node_token_key_hash_key: "key"
}

/** The SQLSTATE of a failure, where the server gave one. */
const sqlState = (error: SqlError.SqlError): string | undefined => {
  const { cause } = error.reason
  return typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined
}

const unavailable = (error: SqlError.SqlError) =>
  Effect.fail(new Transaction.StoreError({ reason: new Transaction.StoreUnavailable({ detail: detailOf(error) }) }))

const detailOf = (error: SqlError.SqlError): string => {
  const { cause } = error.reason
  return cause instanceof Error && cause.message !== error.message
    ? `${error.message}: ${cause.message}`
    : error.message
}

const contended = Effect.flatMap(Attempt, (attempt) => {
  if (attempt !== null) attempt.isContended = true
  return Effect.fail(new Transaction.StoreError({ reason: new Transaction.TooContended({}) }))
})

/** A transaction that failed before is refused every further statement (25P02). */
const isAborted = (state: string | undefined) => state === "25P02"

/**
 * True when a row was on its way to the default partition while its day was attached: 23514 that names no constraint,
 * as a CHECK would. Tried again, it finds its day.
 */
const isDayAttached = ({ reason: { cause } }: SqlError.SqlError): boolean =>
  typeof cause === "object" &&
  cause !== null &&
  "code" in cause &&
  cause.code === "23514" &&
  !("constraint" in cause && cause.constraint !== undefined)

/** Turns an SQL failure into the port's. A defect in our own SQL or data (classes 22, 23, 42) dies. */
export const translate = (error: SqlError.SqlError): Effect.Effect<never, Transaction.StoreError> => {
  const state = sqlState(error)
  switch (error.reason._tag) {
    case "DeadlockError":
    case "SerializationError":
    case "LockTimeoutError":
      return contended
    case "UniqueViolation": {
      const field = fields[error.reason.constraint] ?? "id"
      return Effect.fail(new Transaction.StoreError({ reason: new Transaction.AlreadyExists({ field }) }))
    }
    case "SqlSyntaxError":
      return Effect.die(error)
    case "ConstraintError":
      return isDayAttached(error) ? contended : Effect.die(error)
    default:
      return state?.startsWith("22") || isAborted(state) ? Effect.die(error) : unavailable(error)
  }
}

/**
 * True when PostgreSQL says of a COMMIT that it was not: another transaction stood in its way, a rule is broken, a statement
 * had failed. What ends the session or the server (classes 57, 58, XX) and a full disk (53) may come too late for that.
 */
const isRefused = (error: SqlError.SqlError): boolean => {
  const { reason } = error
  const isRolledBack = reason._tag === "UnknownError" && reason.operation === "commit"
  return isRolledBack || /^(2[235]|40|42)/.test(sqlState(error) ?? "")
}

/** Turns the failure of a COMMIT into the port's: where nobody says that it was not, the change may stand. */
export const translateCommit = (error: SqlError.SqlError): Effect.Effect<never, Transaction.StoreError> =>
  isRefused(error)
    ? translate(error)
    : Effect.fail(new Transaction.StoreError({ reason: new Transaction.Undecided({ detail: detailOf(error) }) }))

/** A connection that is gone cannot roll back either: the client makes that a defect, and the failure with it. */
export const lostConnection = (cause: Cause.Cause<unknown>): SqlError.SqlError | undefined =>
  cause.reasons
    .filter(Cause.isDieReason)
    .map(({ defect }) => defect)
    .filter(SqlError.isSqlError)
    .find(({ reason }) => reason._tag === "ConnectionError")

/** Runs statements of a port: their failures become the port's. */
export const stored = <A, R>(
  effect: Effect.Effect<A, SqlError.SqlError, R>
): Effect.Effect<A, Transaction.StoreError, R> => effect.pipe(Effect.catch(translate))

/** The same, for statements in a transaction of their own that only read. */
export const storedTogether = <A, R>(
  effect: Effect.Effect<A, SqlError.SqlError, R>
): Effect.Effect<A, Transaction.StoreError, R> =>
  stored(effect).pipe(
    Effect.catchCause((cause) => {
      const lost = lostConnection(cause)
      return lost === undefined ? Effect.failCause(cause) : translate(lost)
    })
  )

/** The same, for a statement whose rows nobody asks for. */
export const written = <A, R>(
  effect: Effect.Effect<A, SqlError.SqlError, R>
): Effect.Effect<void, Transaction.StoreError, R> => Effect.asVoid(stored(effect))

const inWords = (error: unknown): string =>
  SqlError.isSqlError(error)
    ? error.message
    : error instanceof Transaction.StoreError
      ? inWords(error.reason)
      : error instanceof Transaction.StoreUnavailable
        ? error.detail
        : error instanceof Error
          ? error.message + (error.cause === undefined ? "" : `: ${inWords(error.cause)}`)
          : String(error)

/** Turns whatever kept a store from starting into words. */
export const refuse = (error: Error): StartRefused =>
  error instanceof StartRefused ? error : new StartRefused({ detail: `The store does not start: ${inWords(error)}` })
