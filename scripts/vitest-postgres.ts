/**
 * Gives a package's tests a real PostgreSQL: one throw-away server per vitest run.
 *
 *   // packages/<name>/vitest.config.ts
 *   export default defineConfig({ test: { globalSetup: ["../../scripts/vitest-postgres.ts"] } })
 *
 *   // packages/<name>/test/Something.integration.test.ts
 *   import { inject } from "vitest"
 *   import { createDatabase, dropDatabase, missing } from "../../../scripts/vitest-postgres.ts"
 *
 *   const postgresUrl = inject("postgresUrl")                   // the superuser's URL, or null
 *   describe.skipIf(postgresUrl === null)(`Something (PostgreSQL)${postgresUrl === null ? `: ${missing}` : ""}`, () => {
 *     const url = await createDatabase(postgresUrl!)            // empty, for this test alone
 *     const copy = await createDatabase(postgresUrl!, "migrated") // or a copy of a template database
 *     await dropDatabase(url)
 *   })
 *
 * `VPNMGR_TEST_DATABASE_URL` names a server to use instead (a superuser's URL; `psql` is needed for the databases).
 * Without PostgreSQL's binaries the URL is null and tests are skipped by name; with `CI=true` the run fails instead.
 */
import type { TestProject } from "vitest/node"
import { findBinaries, make, missing } from "../packages/proof/src/Postgres.ts"

export * as PgBouncer from "../packages/proof/src/PgBouncer.ts"
export { createDatabase, dropDatabase, missing } from "../packages/proof/src/Postgres.ts"

declare module "vitest" {
  export interface ProvidedContext {
    /** A superuser's URL of the run's PostgreSQL, or null on a machine without one. */
    readonly postgresUrl: string | null
  }
}

/** Starts the server and provides its URL; answers how to end it. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const preset = process.env["VPNMGR_TEST_DATABASE_URL"]
  if (preset !== undefined && preset !== "") {
    project.provide("postgresUrl", preset)
    return undefined
  }
  if ((await findBinaries()) === null) {
    if (process.env["CI"] === "true") throw new Error(missing)
    console.warn(`Skipping the tests on PostgreSQL. ${missing}`)
    project.provide("postgresUrl", null)
    return undefined
  }
  const postgres = await make({ durable: false })
  project.provide("postgresUrl", postgres.url)
  return () => postgres.remove()
}
