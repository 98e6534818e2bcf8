/** The run's own PostgreSQL with one database in it, as an operator sees it: by `psql` and `pg_dump`. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Postgres from "./Postgres.ts"

const run = promisify(execFile)
const most = 512 * 1024 * 1024

export interface Database {
  /** What the server is given. */
  readonly url: string
  readonly postgres: Postgres.Postgres
  /** Rows of a query, columns separated by `|`. For looking, not for changing what the product keeps. */
  readonly query: (sql: string) => Promise<ReadonlyArray<string>>
  /** The whole database as text: schema and data. */
  readonly dump: () => Promise<string>
  /** The same without a row. */
  readonly schema: () => Promise<string>
  readonly close: () => Promise<void>
}

/** Makes a cluster and an empty database. */
export const start = async (options: Postgres.Options = {}): Promise<Database> => {
  const postgres = await Postgres.make(options)
  const url = await postgres.createDatabase()
  const bin = (await Postgres.findBinaries()) ?? ""
  const program = async (name: string, ...args: ReadonlyArray<string>) =>
    (await run(join(bin, name), [...args, url], { maxBuffer: most })).stdout
  return {
    url,
    postgres,
    query: async (sql) =>
      (await program("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d"))
        .split("\n")
        .filter((row) => row !== ""),
    dump: () => program("pg_dump", "--no-owner", "-d"),
    schema: () => program("pg_dump", "--no-owner", "--schema-only", "-d"),
    close: postgres.remove
  }
}
