/** Leases in PostgreSQL: a row each, whose end is set and judged by the database's clock. */
import { LeaseStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { stored, written } from "./Failure.ts"

export const layer: Layer.Layer<LeaseStore.LeaseStore, never, SqlClient.SqlClient> = Layer.effect(
  LeaseStore.LeaseStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const ahead = (millis: number) => sql`clock_timestamp() + ${millis}::float8 * interval '1 millisecond'`

    /** One statement. Whoever finds the lease held reads a row and writes nothing. */
    const take: LeaseStore.LeaseStore["Service"]["take"] = (name, holder, span) =>
      Effect.map(
        stored(sql<{ readonly term: bigint }>`INSERT INTO lease AS l (name, holder, term, until)
          SELECT ${name}, ${holder}, 1, ${ahead(span)} WHERE NOT EXISTS (
            SELECT FROM lease s WHERE s.name = ${name} AND s.holder <> ${holder}
              AND s.until > clock_timestamp() AND s.until <= ${ahead(2 * span)})
          ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until,
            term = CASE WHEN l.holder = EXCLUDED.holder THEN l.term ELSE l.term + 1 END
          WHERE l.holder = EXCLUDED.holder OR l.until <= clock_timestamp() OR l.until > ${ahead(2 * span)}
          RETURNING term`),
        ([row]) => (row === undefined ? null : Number(row.term))
      )

    return LeaseStore.LeaseStore.of({
      take,
      release: (name, holder) =>
        written(sql`UPDATE lease SET until = '-infinity' WHERE name = ${name} AND holder = ${holder}`)
    })
  })
)

/** Frees every lease: for a store that no other process can have open. */
export const free: Effect.Effect<void, never, SqlClient.SqlClient> = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.asVoid(Effect.orDie(sql`UPDATE lease SET until = '-infinity'`))
)
