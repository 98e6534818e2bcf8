/** The golden `schema.sql`: what migrating from nothing yields, everywhere the same. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { Migrations } from "../src/index.ts"
import { describeSchema } from "./Catalog.ts"
import { database, pgliteClient, postgresClient, skipped } from "./Databases.ts"

const golden = readFile(new URL("../schema.sql", import.meta.url), "utf8")

describe("schema.sql", () => {
  it.live("is what PGlite is migrated to", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* describeSchema, yield* Effect.promise(() => golden))
    }).pipe(Effect.provide(pgliteClient))
  )

  it.live.skipIf(skipped !== "")(`is what PostgreSQL is migrated to${skipped}`, () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      const made = yield* describeSchema.pipe(Effect.provide(postgresClient(url, "elsewhere")))
      assert.strictEqual(made, yield* Effect.promise(() => golden))
    })
  )

  it("can be printed as SQL", () => {
    const text = Migrations.print("elsewhere")
    assert.include(text, 'CREATE SCHEMA IF NOT EXISTS "elsewhere";')
    assert.include(text, "CREATE TABLE report_key")
  })
})
