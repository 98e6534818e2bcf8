/** What start-up asks for behind PgBouncer in transaction mode, done as it was said. */
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Arena from "../Arena.ts"
import type * as Database from "../Database.ts"
import * as Expect from "../Expect.ts"
import type * as PgBouncer from "../PgBouncer.ts"
import * as Server from "../Server.ts"

/** Starts a server that must refuse, and runs the statements that it names. */
export const asked = async (database: Database.Database, pooler: PgBouncer.PgBouncer): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), "vpnmgr-proof-"))
  const encryptionKey = randomBytes(32).toString("base64")
  const server = await Server.make({ main: Arena.cliMain, databaseUrl: pooler.url, encryptionKey, directory })
  const said = await server.start().then(
    () => undefined,
    (cause: Error) => cause.message
  )
  await server.stop()
  await rm(directory, { recursive: true, force: true })
  const words = Expect.present("a refusal", said).replaceAll("\\", "")
  const statements = words.match(/ALTER ROLE [^;]+;/g) ?? []
  Expect.same("statements it names", statements.length, 3)
  for (const statement of statements) await database.query(statement)
  await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
  )
  return statements.map((statement) => /SET .+(?=;)/.exec(statement)?.[0] ?? statement).join("; ")
}
