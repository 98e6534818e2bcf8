/**
 * Database time as PostgreSQL itself counts it (`pg_stat_statements`): planning and execution of each statement. It
 * counts only while a case asks, so that no other case pays for it.
 */
import * as Sql from "./Sql.ts"

/** What a PostgreSQL of the run is started with. */
export const settings = { shared_preload_libraries: "pg_stat_statements", "pg_stat_statements.max": "10000" }

/** What one statement took, all calls together; its text has `$n` for each value. */
export interface Statement {
  readonly query: string
  readonly calls: number
  /** Milliseconds. */
  readonly planned: number
  readonly executed: number
}

/** Where in the output the account begins, after what statements gave. */
const mark = "statements:"

const counting = (url: string, what: "none" | "top", planning: "on" | "off") =>
  Sql.make(url).run(
    `ALTER SYSTEM SET pg_stat_statements.track = '${what}'`,
    `ALTER SYSTEM SET pg_stat_statements.track_planning = '${planning}'`,
    "SELECT pg_reload_conf()"
  )

/** Stops counting. */
export const rest = (url: string): Promise<unknown> => counting(url, "none", "off")

/** Counts from now on, in every session. */
export const count = async (url: string): Promise<void> => {
  await Sql.make(url).run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
  await counting(url, "top", "on")
}

/** What ran in the database at `url` since this was last asked, `statements` before that included. */
export const take = async (url: string, ...statements: ReadonlyArray<string>): Promise<ReadonlyArray<Statement>> => {
  const lines = await Sql.make(url).run(
    ...statements,
    `SELECT '${mark}' || coalesce(json_agg(x), '[]') FROM (
      SELECT query, calls::int, total_plan_time AS planned, total_exec_time AS executed FROM public.pg_stat_statements
      WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())) x`,
    "SELECT public.pg_stat_statements_reset()"
  )
  const text = lines.join("\n")
  return JSON.parse(text.slice(text.indexOf(mark) + mark.length)) as ReadonlyArray<Statement>
}
