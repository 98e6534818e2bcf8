/** That lists of subscriptions are served by indexes: every filter in every order, on enough rows for it to matter. */
import { assert, describe, layer } from "@effect/vitest"
import { SubscriptionList } from "@vpnmgr/core"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as Grams from "../src/Grams.ts"
import * as SubscriptionPage from "../src/SubscriptionPage.ts"
import { database, postgresClient, skipped } from "./Databases.ts"

const url = await database()

const rows = 20_000
const at = Date.now()

const idOf = (n: number) => `0199f3f0-5a7e-7cc3-8a11-${n.toString(16).padStart(12, "0")}`
const sqlId = (n: string) => `('0199f3f0-5a7e-7cc3-8a11-' || lpad(to_hex(${n}), 12, '0'))::uuid`

/** Subscription n, of one of a hundred owners or of nobody, on two of fifty inbounds of ten nodes. */
const fill = [
  `INSERT INTO subscription (id, link_hash, owner_id, title, expires_at, is_suspended, anchor, credential, created_at,
      updated_at, title_key, search_key)
    SELECT ${sqlId("n")}, sha256(n::text::bytea), CASE WHEN n % 10 > 0 THEN ${sqlId("100000 + n % 100")} END, 'User ' || n,
      CASE n % 20 WHEN 0 THEN NULL WHEN 1 THEN now() - interval '1 day' ELSE now() + n * interval '1 minute' END,
      n % 50 = 3, now(), n, now() - n * interval '1 second', now(), 'user ' || n, 'user ' || n || chr(31) || md5(n::text)
    FROM generate_series(1, ${rows}) n`,
  `INSERT INTO bucket (id, kind, anchor, window_start, window_end, exhausted_until)
    SELECT id, 'subscription', now(), now(), 'infinity', CASE WHEN credential % 100 = 7 THEN now() + interval '1 day' END
    FROM subscription`,
  `INSERT INTO bucket (id, kind, anchor, window_start, window_end, exhausted_until)
    SELECT ${sqlId("100000 + n")}, 'owner', now(), now(), 'infinity', CASE WHEN n = 5 THEN now() + interval '1 day' END
    FROM generate_series(0, 99) n`,
  `INSERT INTO inbound (id, node_id, host, port, listen, protocol, network, tls, is_active, traffic_multiplier, settings,
      created_at, updated_at)
    SELECT ${sqlId("200000 + n")}, ${sqlId("300000 + n / 5")}, 'h', n, '::', 'vless', 'tcp', true, true, 1000, '', now(), now()
    FROM generate_series(0, 49) n`,
  `INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
    SELECT s.id, ${sqlId("200000 + (s.credential * 7 + k) % 50")}, now() FROM subscription s, generate_series(1, 2) k`,
  `ANALYZE`
]

const filters: Readonly<Record<string, SubscriptionList.Filter>> = {
  nothing: {},
  suspended: { state: { is: "suspended", at } },
  expired: { state: { is: "expired", at } },
  "over limit": { state: { is: "over_limit", at } },
  active: { state: { is: "active", at } },
  "an owner's": { ownerId: idOf(100_001) },
  "an owner's over limit": { ownerId: idOf(100_005), state: { is: "over_limit", at } },
  "without owner": { ownerId: null },
  "of an inbound": { inboundId: idOf(200_001) },
  "of a node": { nodeId: idOf(300_001) },
  "expiring soon": { expiresBefore: at + 3_600_000 },
  "a word": { search: "user 4711" },
  "a letter": { search: "f" },
  "a word nobody has": { search: "qqq" },
  "the beginning of an id": { search: idOf(1).slice(0, 30) }
}

describe.skipIf(skipped !== "")(`Lists of subscriptions${skipped}`, () => {
  layer(postgresClient(url), { timeout: "60 seconds", excludeTestServices: true })("in PostgreSQL", (it) => {
    it.effect("read no table from end to end, whatever is asked", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (const statement of fill) yield* sql.unsafe(statement)
        const pageOf = SubscriptionPage.make(sql)
        const plan = Effect.fnUntraced(function* (text: string, values: ReadonlyArray<unknown> = []) {
          const [, lines] = yield* sql.withTransaction(
            Effect.all([
              sql`SET LOCAL random_page_cost = 1.1`,
              sql.unsafe<{ readonly "QUERY PLAN": string }>(`EXPLAIN ${text}`, values)
            ])
          )
          return lines.map((line) => line["QUERY PLAN"]).join("\n")
        })
        const wholeTable = /Seq Scan on (subscription|subscription_inbound|bucket) /
        const inbounds = Array.from({ length: 5 }, (_, n) => idOf(200_005 + n))
        const known = { inboundIds: inbounds, frequencies: yield* yield* Grams.make(sql) }
        assert.isAtLeast(known.frequencies.get("use") ?? 0, 0.9)
        for (const [name, filter] of Object.entries(filters))
          for (const sort of SubscriptionList.Sort.literals) {
            const { near, far } = pageOf(filter, { sort, after: null, limit: 51 }, known)
            for (const statement of far === null ? [near] : [near, far]) {
              const [text, values] = sql`${statement}`.compile()
              assert.notMatch(yield* plan(text, values), wholeTable, `${name}, by ${sort}`)
            }
          }
        assert.match(yield* plan("SELECT id FROM subscription WHERE title LIKE '%4711%'"), wholeTable)
      })
    )
  })
})
