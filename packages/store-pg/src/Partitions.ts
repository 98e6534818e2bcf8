/**
 * The days of `traffic_report`: made ahead, dropped whole. A row whose day has no partition goes to the default one, so
 * that none is ever refused, and moves to its day when that is made.
 */
import type { Instant } from "@vpnmgr/core"
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { at } from "./Column.ts"
import type { make as makeFold } from "./UsageFold.ts"

const day = 86_400_000

/** Days made ahead of the newest. */
export const daysAhead = 7

const nameOf = (start: Instant.Instant) =>
  `traffic_report_${new Date(start).toISOString().slice(0, 10).replaceAll("-", "")}`

const startOf = (name: string): Instant.Instant =>
  Date.parse(`${name.slice(-8, -4)}-${name.slice(-4, -2)}-${name.slice(-2)}T00:00:00Z`)

/** The start of an instant's day, UTC. */
export const dayOf = (instant: Instant.Instant): Instant.Instant => Math.floor(instant / day) * day

/**
 * Makes the keeper of partitions over a client. Each of its verbs runs in a transaction. `fold` is `UsageFold`'s: no
 * raw row goes before it is folded.
 */
export const make = (sql: SqlClient.SqlClient, fold: Pick<ReturnType<typeof makeFold>, "all">) => {
  const existing = Effect.map(
    sql<{ readonly name: string }>`SELECT c.relname AS name FROM pg_inherits p JOIN pg_class c ON c.oid = p.inhrelid
      WHERE p.inhparent = 'traffic_report'::regclass AND c.relname ~ '^traffic_report_[0-9]{8}$'`,
    (rows) => rows.map((row) => row.name)
  )

  const alone = sql`SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.partitions', 0))`

  /** Makes a day; false = not made, since the default partition has rows of it that must not be moved now. */
  const add = Effect.fnUntraced(function* (start: Instant.Instant, mayMove: boolean) {
    const name = nameOf(start)
    const bounds = [start, start + day].map((edge) => `'${new Date(edge).toISOString()}'`)
    const isIn = sql`received_at >= ${at(sql, start)} AND received_at < ${at(sql, start + day)}`
    yield* sql`LOCK TABLE traffic_report_default IN ACCESS EXCLUSIVE MODE`
    const found = yield* sql`SELECT FROM traffic_report_default WHERE ${isIn} LIMIT 1`
    if (found.length > 0 && !mayMove) return false
    yield* sql`CREATE TABLE ${sql(name)} (LIKE traffic_report INCLUDING ALL)`
    yield* sql`WITH moved AS (DELETE FROM traffic_report_default WHERE ${isIn} RETURNING *)
      INSERT INTO ${sql(name)} SELECT * FROM moved`
    yield* sql`ALTER TABLE traffic_report ATTACH PARTITION ${sql(name)}
      FOR VALUES FROM (${sql.literal(bounds[0]!)}) TO (${sql.literal(bounds[1]!)})`
    return true
  })

  /** Makes the days that are missing, from the first on; false = it stopped at one that was not made. */
  const makeMissing = (instant: Instant.Instant, mayMove: boolean) =>
    sql.withTransaction(
      Effect.gen(function* () {
        yield* alone
        if (mayMove) yield* sql`LOCK TABLE ONLY traffic_report IN ACCESS EXCLUSIVE MODE`
        const names = new Set(yield* existing)
        const days = Array.from({ length: daysAhead + 1 }, (_, index) => dayOf(instant) + index * day)
        for (const start of days.filter((each) => !names.has(nameOf(each))))
          if (!(yield* add(start, mayMove))) return false
        return true
      })
    )

  return {
    /**
     * Makes the day of `instant` and the days ahead of it, where they are missing.
     *
     * Rows are moved only while nobody reads the table or writes to it. A statement that began before knows the default
     * partition and not the new one: it would wait for the move and then find the rows in neither, and a fold would take
     * their batches for folded. Where nothing has to be moved, which is the rule, nobody waits.
     */
    makeAhead: (instant: Instant.Instant): Effect.Effect<void, SqlError.SqlError> =>
      Effect.flatMap(makeMissing(instant, false), (isMade) =>
        isMade ? Effect.void : Effect.asVoid(makeMissing(instant, true))
      ),

    /**
     * Drops every day that ended at or before `before`, and what lies of such days in the default partition; then, in a
     * transaction of its own, what is known of their batches.
     *
     * A fold under way is waited for first, then whoever reads or writes the table, and only then days are locked: who
     * has one of these may still want the next, and would wait for this one while it waits for them. What waits to be
     * folded is folded before anybody has to wait.
     */
    drop: (before: Instant.Instant): Effect.Effect<void, SqlError.SqlError> => {
      const isOld = sql`received_at < ${at(sql, dayOf(before))}`
      const rows = Effect.gen(function* () {
        yield* alone
        const old = (yield* existing).filter((name) => startOf(name) + day <= before)
        const left = yield* sql`SELECT FROM traffic_report_default WHERE ${isOld} LIMIT 1`
        if (old.length + left.length === 0) return
        yield* fold.all(isOld)
        yield* sql`LOCK TABLE ONLY traffic_report IN ACCESS EXCLUSIVE MODE`
        yield* fold.all(isOld)
        yield* Effect.forEach(old, (name) => sql`DROP TABLE ${sql(name)}`, { discard: true })
        yield* sql`DELETE FROM traffic_report_default WHERE ${isOld}`
      })
      return Effect.andThen(
        sql.withTransaction(rows),
        Effect.asVoid(sql`DELETE FROM report_batch WHERE ${isOld} AND NOT is_pending`)
      )
    }
  }
}
