/** "All or nothing" in PostgreSQL: READ COMMITTED, tried again when two transactions stood in each other's way. */
import { Transaction } from "@vpnmgr/core"
import { Cause, Effect, Layer, Option } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { Attempt, lostConnection, translate, translateCommit } from "./Failure.ts"

const retries = 10
const firstPause = 4
const longestPause = 500

/** Waits by the machine's own clock, whatever clock the program runs on: it is the other transaction that needs time. */
const pause = (attempt: number) =>
  Effect.callback<void>((resume) => {
    const longest = Math.min(longestPause, firstPause * 2 ** attempt)
    const timer = setTimeout(() => resume(Effect.void), longest * (0.5 + Math.random() / 2))
    return Effect.sync(() => clearTimeout(timer))
  })

const tooContended = new Transaction.StoreError({ reason: new Transaction.TooContended({}) })

/** Makes `run` over a client. `run` inside `run` joins it. */
export const make = (sql: SqlClient.SqlClient): Transaction.Transaction["Service"]["run"] => {
  const attempt = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    count: number
  ): Effect.Effect<A, E | Transaction.StoreError, R> =>
    Effect.suspend(() => {
      const state = { isContended: false }
      let isDone = false
      const done = Effect.tap(effect, () => Effect.sync(() => void (isDone = true)))
      return sql.withTransaction(done).pipe(
        Effect.catchIf(SqlError.isSqlError, (error) => (isDone ? translateCommit(error) : translate(error))),
        Effect.provideService(Attempt, state),
        Effect.catchCause((cause): Effect.Effect<A, E | Transaction.StoreError, R> => {
          if (Cause.hasInterrupts(cause)) return Effect.failCause(cause)
          const lost = lostConnection(cause)
          if (lost !== undefined) return isDone ? translateCommit(lost) : translate(lost)
          if (!state.isContended) return Effect.failCause(cause)
          return count < retries ? Effect.andThen(pause(count), attempt(effect, count + 1)) : Effect.fail(tooContended)
        })
      )
    })

  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Transaction.StoreError, R> =>
    Effect.flatMap(Effect.serviceOption(sql.transactionService), (outer) =>
      Option.isSome(outer) ? effect : attempt(effect, 0)
    )
}

export const layer: Layer.Layer<Transaction.Transaction, never, SqlClient.SqlClient> = Layer.effect(
  Transaction.Transaction,
  Effect.map(SqlClient.SqlClient, (sql) => Transaction.Transaction.of({ run: make(sql) }))
)
