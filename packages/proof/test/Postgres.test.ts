import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { promisify } from "node:util"
import { assert, describe, inject, it } from "vitest"
import { createDatabase, dropDatabase, findBinaries, make, missing } from "../src/Postgres.ts"

const url = inject("postgresUrl")

const ask = async (database: string, sql: string) => {
  const { stdout } = await promisify(execFile)(`${await findBinaries()}/psql`, ["-X", "-t", "-A", "-c", sql, database])
  return stdout.trim()
}

describe.skipIf(url === null)(`a throw-away PostgreSQL${url === null ? `: ${missing}` : ""}`, () => {
  it("gives every test a database of its own, empty or copied", async () => {
    const first = await createDatabase(url ?? "")
    await ask(first, "CREATE TABLE kept AS SELECT 7 AS value")
    const copy = await createDatabase(url ?? "", new URL(first).pathname.slice(1))
    const other = await createDatabase(url ?? "")
    assert.strictEqual(await ask(copy, "SELECT value FROM kept"), "7")
    assert.strictEqual(await ask(other, "SELECT to_regclass('kept') IS NULL"), "t")
    await Promise.all([first, copy, other].map(dropDatabase))
  })

  it("keeps what was committed when it is killed, and forgets what was not", async () => {
    const postgres = await make()
    try {
      await ask(postgres.url, "CREATE TABLE kept AS SELECT 7 AS value")
      const open = ask(postgres.url, "BEGIN; UPDATE kept SET value = 8; SELECT pg_sleep(60)").catch(() => "cut off")
      while (
        (await ask(postgres.url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'")) !== "1"
      );
      await postgres.kill9()
      assert.strictEqual(postgres.pid(), undefined)
      assert.strictEqual(await open, "cut off")
      await postgres.start()
      assert.strictEqual(await ask(postgres.url, "SELECT value FROM kept"), "7")
      await postgres.stop()
      await postgres.start()
      assert.strictEqual(await ask(postgres.url, "SELECT value FROM kept"), "7")
    } finally {
      await postgres.remove()
    }
    assert.isFalse(existsSync(postgres.directory))
  })
})
