/** That lists of people, groups and sessions are served by indexes, on enough rows for it to matter. */
import { assert, describe, layer } from "@effect/vitest"
import type { UserStore } from "@vpnmgr/core"
import { Effect } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import * as PeoplePage from "../src/PeoplePage.ts"
import { database, postgresClient, skipped } from "./Databases.ts"

const url = await database()

const rows = 20_000
const sqlId = (n: string) => `('0199f3f0-5a7e-7cc3-8a11-' || lpad(to_hex(${n}), 12, '0'))::uuid`
const idOf = (n: number) => `0199f3f0-5a7e-7cc3-8a11-${n.toString(16).padStart(12, "0")}`

/** User n, every thousandth a superuser, every five hundredth disabled, in one of two hundred groups, signed in twice. */
const fill = [
  `INSERT INTO user_account (id, username, role, password_hash, is_disabled, created_at, updated_at)
    SELECT ${sqlId("n")}, 'User-' || n, CASE n % 1000 WHEN 0 THEN 'superuser' ELSE 'operator' END, '$', n % 500 = 3, now(), now()
    FROM generate_series(1, ${rows}) n`,
  `INSERT INTO user_group (id, name, name_key, created_at, updated_at)
    SELECT ${sqlId("100000 + n")}, 'Group ' || n, 'group ' || n, now(), now() FROM generate_series(1, ${rows}) n`,
  `INSERT INTO membership (user_id, group_id) SELECT id, ${sqlId("100000 + substr(username, 6)::int % 200")} FROM user_account`,
  `INSERT INTO session (id, user_id, created_at, expires_at)
    SELECT gen_random_uuid(), id, now(), now() + k * interval '30 minutes' FROM user_account, generate_series(1, 2) k`,
  `ANALYZE`
]

const filters: Readonly<Record<string, UserStore.UserFilter>> = {
  nothing: {},
  superusers: { role: "superuser" },
  operators: { role: "operator" },
  disabled: { isDisabled: true },
  "not disabled": { isDisabled: false },
  "a group's": { groupId: idOf(100_007) },
  "by name": { username: "USER-4711" },
  "a part": { search: "r-4711" },
  "a letter": { search: "u" },
  "what nobody has": { search: "qqq" },
  "a group's superusers": { groupId: idOf(100_000), role: "superuser" }
}

describe.skipIf(skipped !== "")(`Lists of people${skipped}`, () => {
  layer(postgresClient(url), { timeout: "60 seconds", excludeTestServices: true })("in PostgreSQL", (it) => {
    it.effect("read no table from end to end, whatever is asked", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (const statement of fill) yield* sql.unsafe(statement)
        const pages = PeoplePage.make(sql)
        const page = { after: null, limit: 51 }
        const plan = Effect.fnUntraced(function* (statement: Statement.Statement<unknown>) {
          const [text, values] = statement.compile()
          const [, lines] = yield* sql.withTransaction(
            Effect.all([
              sql`SET LOCAL random_page_cost = 1.1`,
              sql.unsafe<{ readonly "QUERY PLAN": string }>(`EXPLAIN ${text}`, values)
            ])
          )
          return lines.map((line) => line["QUERY PLAN"]).join("\n")
        })
        const wholeTable = /Seq Scan on (user_account|user_group|membership|session) /
        for (const [name, filter] of Object.entries(filters))
          assert.notMatch(yield* plan(pages.users(filter, page)), wholeTable, name)
        for (const search of ["group 4711", "p", "qqq"])
          assert.notMatch(yield* plan(pages.groups({ search }, page)), wholeTable, search)
        for (const statement of [
          sql`SELECT count(*) FROM user_account WHERE role = 'superuser' AND NOT is_disabled AND deleted_at IS NULL`,
          sql`SELECT id FROM session WHERE user_id = ${idOf(1)} ORDER BY id LIMIT 51`,
          sql`SELECT id FROM session WHERE expires_at <= now() ORDER BY expires_at LIMIT 1000`
        ])
          assert.notMatch(yield* plan(statement), wholeTable)
        assert.match(yield* plan(sql`SELECT id FROM user_account WHERE username LIKE '%4711%'`), wholeTable)
      })
    )
  })
})
