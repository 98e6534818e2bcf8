/** The tables' history: forward only, one transaction under an advisory lock, in a schema of the store's own. */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { Migrator, SqlClient } from "effect/sql"
import { StartRefused } from "./Failure.ts"
import { statements as people } from "./migrations/0001_people.ts"
import { statements as inventory } from "./migrations/0002_inventory.ts"
import { statements as subscriptions } from "./migrations/0003_subscriptions.ts"
import { statements as usage } from "./migrations/0004_usage.ts"
import { statements as nodeStates } from "./migrations/0005_node_states.ts"
import { statements as accounts } from "./migrations/0006_people.ts"
import { statements as subscriptionList } from "./migrations/0007_subscription_list.ts"
import { statements as fleet } from "./migrations/0008_fleet.ts"
import { statements as records } from "./migrations/0009_records.ts"
import { statements as manners } from "./migrations/0010_manners.ts"
import { statements as peopleSearch } from "./migrations/0016_people_search.ts"
import { statements as batchesSetAside } from "./migrations/0017_batches_set_aside.ts"
import { statements as reportBatches } from "./migrations/0018_report_batches.ts"
import { statements as searchGrams } from "./migrations/0021_search_grams.ts"
import { statements as exhausted } from "./migrations/0022_exhausted.ts"
import { statements as lease } from "./migrations/0023_lease.ts"
import { statements as keysByNode } from "./migrations/0024_keys_by_node.ts"
import { statements as inboundVersion } from "./migrations/0025_inbound_version.ts"
import { statements as ownerBuckets } from "./migrations/0026_owner_buckets.ts"

const all: Readonly<Record<string, ReadonlyArray<string>>> = {
  "0001_people": people,
  "0002_inventory": inventory,
  "0003_subscriptions": subscriptions,
  "0004_usage": usage,
  "0005_node_states": nodeStates,
  "0006_people": accounts,
  "0007_subscription_list": subscriptionList,
  "0008_fleet": fleet,
  "0009_records": records,
  "0010_manners": manners,
  "0016_people_search": peopleSearch,
  "0017_batches_set_aside": batchesSetAside,
  "0018_report_batches": reportBatches,
  "0021_search_grams": searchGrams,
  "0022_exhausted": exhausted,
  "0023_lease": lease,
  "0024_keys_by_node": keysByNode,
  "0025_inbound_version": inboundVersion,
  "0026_owner_buckets": ownerBuckets
}

const table = "migration"

/** The schema when none is named. */
export const defaultSchema = "vpnmgr"

/** Runs statements as they stand; none of them takes a parameter. */
const runAll = (statements: ReadonlyArray<string>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
  )

const loader = Migrator.fromRecord(
  Object.fromEntries(Object.entries(all).map(([name, statements]) => [name, runAll(statements)]))
)

const newest = Math.max(...Object.keys(all).map((name) => Number.parseInt(name, 10)))

/** The SQL of all migrations, as `migrate --print` shows it. */
export const print = (schema: string = defaultSchema): string =>
  [
    `CREATE SCHEMA IF NOT EXISTS "${schema}";`,
    `SET search_path = "${schema}";`,
    ...Object.entries(all).flatMap(([name, statements]) => [`-- ${name}`, ...statements.map((text) => `${text};`)])
  ].join("\n\n") + "\n"

/** Refuses a schema that a newer release made, or that the connection does not look in. */
const check = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, schema: string) {
  const [current] = yield* sql<{ readonly name: string | null }>`SELECT current_schema() AS name`
  if (current?.name !== schema) {
    return yield* new StartRefused({
      detail:
        `The connection looks in the schema ${current?.name ?? "(none)"} instead of ${schema}. ` +
        `If a pooler drops start-up options, run: ALTER ROLE … SET search_path = ${schema}`
    })
  }
  const [last] = yield* sql<{ readonly id: number | null }>`SELECT max(migration_id) AS id FROM ${sql(table)}`
  if ((last?.id ?? 0) > newest) {
    return yield* new StartRefused({
      detail: `The database was migrated by a newer release (${last?.id}; this one knows ${newest}). Run that release, or restore.`
    })
  }
})

/** Brings the schema to the newest form. Whoever comes second waits, and finds nothing left to do. */
export const run = Effect.fn("Migrations.run")(function* (
  schema: string
): Effect.fn.Return<void, StartRefused | Migrator.MigrationError | SqlError.SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SELECT set_config('lock_timeout', '0', true)`
      yield* sql`SELECT pg_advisory_xact_lock(hashtextextended(${`${schema}.migrations`}, 0))`
      const found = yield* sql`SELECT FROM pg_namespace WHERE nspname = ${schema}`
      if (found.length === 0) yield* sql`CREATE SCHEMA ${sql(schema)}`
      yield* Migrator.make({})({ loader, table })
      yield* check(sql, schema)
    })
  )
})
