/** What only a database shows: a trail changed behind its triggers is found out, and two servers seal a day once. */
import { assert, describe, it } from "@effect/vitest"
import { World } from "@vpnmgr/conformance"
import { Actor, AuditLog, AuditTrail } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient } from "effect/sql"
import { database, pgliteClient, postgres, postgresClient, skipped } from "./Databases.ts"

const day = 24 * World.hour
const start = World.noon - 12 * World.hour
const days = 4

const trail = AuditTrail.AuditTrail.layer.pipe(Layer.provide(SecureRandom.layerWebCrypto))
const asSystem = Effect.provideService(Actor.Actor, Actor.system)

const record = (timestamp: number, action: string): AuditLog.AuditRecord => ({
  id: World.anIdOf(timestamp),
  timestamp,
  actorId: World.anId(),
  action,
  targetType: "subscription",
  targetId: World.anId(),
  meta: { is_suspended: { before: false, after: true } }
})

/** Three records on each of four days. */
const written = Effect.gen(function* () {
  const audit = yield* AuditLog.AuditStore
  const records = Array.from({ length: days * 3 }, (_, index) =>
    record(start + (index % days) * day + index * 1000, `action.${index}`)
  )
  yield* audit.append(records)
})

const states = Effect.gen(function* () {
  const { verify } = yield* AuditTrail.AuditTrail
  const { isIntact, days } = yield* asSystem(verify(start, start + 10 * day))
  return [isIntact, ...days.map(({ state }) => state)]
})

const whole = [true, ...Array.from({ length: days }, () => "matches")]

/** What a superuser of the database may do who knows how: each undone afterwards by its opposite. */
const forgeries = [
  {
    what: "a field",
    forge: `UPDATE audit_log SET action = 'innocent' WHERE action = 'action.1'`,
    mend: `UPDATE audit_log SET action = 'action.1' WHERE action = 'innocent'`,
    seen: [false, "matches", "differs", "matches", "matches"]
  },
  {
    what: "what was before and after",
    forge: `UPDATE audit_log SET meta = jsonb_set(meta, '{is_suspended,after}', 'false') WHERE action = 'action.2'`,
    mend: `UPDATE audit_log SET meta = jsonb_set(meta, '{is_suspended,after}', 'true') WHERE action = 'action.2'`,
    seen: [false, "matches", "matches", "differs", "matches"]
  },
  {
    what: "a millisecond",
    forge: `UPDATE audit_log SET timestamp = timestamp + interval '1 ms' WHERE action = 'action.0'`,
    mend: `UPDATE audit_log SET timestamp = timestamp - interval '1 ms' WHERE action = 'action.0'`,
    seen: [false, "differs", "matches", "matches", "matches"]
  },
  {
    what: "the day of a record",
    forge: `UPDATE audit_log SET day = day + 2 WHERE action = 'action.5'`,
    mend: `UPDATE audit_log SET day = day - 2 WHERE action = 'action.5'`,
    seen: [false, "matches", "differs", "matches", "differs"]
  },
  {
    what: "a record that is gone",
    forge: `CREATE TABLE hidden AS SELECT * FROM audit_log WHERE action = 'action.6'; DELETE FROM audit_log WHERE action = 'action.6'`,
    mend: `INSERT INTO audit_log SELECT * FROM hidden; DROP TABLE hidden`,
    seen: [false, "matches", "matches", "differs", "matches"]
  },
  {
    what: "a seal that was made to fit",
    forge: `UPDATE audit_seal SET digest = reverse(digest) WHERE day = '2026-01-16'`,
    mend: `UPDATE audit_seal SET digest = reverse(digest) WHERE day = '2026-01-16'`,
    seen: [false, "matches", "differs", "unchained", "matches"]
  },
  {
    what: "a day that is gone with its seal",
    forge: `CREATE TABLE hidden AS SELECT * FROM audit_seal WHERE day = '2026-01-17'; DELETE FROM audit_seal WHERE day = '2026-01-17'`,
    mend: `INSERT INTO audit_seal SELECT * FROM hidden; DROP TABLE hidden`,
    seen: [false, "matches", "matches", "unchained"]
  }
]

const behindTriggers = Effect.fnUntraced(function* (text: string) {
  const sql = yield* SqlClient.SqlClient
  const tables = ["audit_log", "audit_seal"]
  for (const table of tables) yield* sql.unsafe(`ALTER TABLE ${table} DISABLE TRIGGER ALL`)
  for (const statement of text.split(";")) yield* sql.unsafe(statement)
  for (const table of tables) yield* sql.unsafe(`ALTER TABLE ${table} ENABLE TRIGGER ALL`)
})

const scenario = Effect.gen(function* () {
  const { seal } = yield* AuditTrail.AuditTrail
  const sql = yield* SqlClient.SqlClient
  yield* written
  assert.strictEqual(yield* seal, days)
  assert.deepStrictEqual(yield* states, whole, "an untouched trail")
  for (const { what, forge, mend, seen } of forgeries) {
    yield* behindTriggers(forge)
    assert.deepStrictEqual(yield* states, seen, what)
    yield* behindTriggers(mend)
    assert.deepStrictEqual(yield* states, whole, `${what}, mended`)
  }
  for (const statement of [
    `UPDATE audit_seal SET digest = ''`,
    `DELETE FROM audit_seal`,
    `TRUNCATE audit_seal CASCADE`,
    `DELETE FROM audit_closed`,
    `UPDATE audit_detachment SET day = day`,
    `DELETE FROM audit_log`
  ]) {
    const error = yield* Effect.flip(sql.unsafe(statement))
    assert.include(String(error.reason.cause), "append-only", statement)
  }
  const insert = `INSERT INTO audit_log (id, timestamp, actor_id, action, target_type, target_id, meta) VALUES
    (gen_random_uuid(), '2026-01-15', gen_random_uuid(), 'late', 'test', gen_random_uuid(), '{}')`
  yield* sql.unsafe(insert)
  assert.deepStrictEqual(yield* states, whole, "a record that is added by hand falls into an open day")
  const serializable = sql.withTransaction(
    Effect.andThen(sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`, sql.unsafe(insert))
  )
  const refused = yield* Effect.flip(serializable)
  assert.include(String(refused.reason.cause), "READ COMMITTED")
})

describe("The audit trail", () => {
  it.live("shows what was changed behind its triggers, in PGlite", () =>
    scenario.pipe(Effect.provide(trail), Effect.provide(pgliteClient))
  )

  it.live.skipIf(skipped !== "")(`shows what was changed behind its triggers, in PostgreSQL${skipped}`, () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      yield* scenario.pipe(Effect.provide(trail), Effect.provide(postgresClient(url)))
    })
  )

  it.live.skipIf(skipped !== "")(`is sealed once, however many servers run${skipped}`, () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
      const server = <A, E>(effect: Effect.Effect<A, E, AuditTrail.AuditTrail | AuditLog.AuditStore>) =>
        effect.pipe(Effect.provide(Layer.provideMerge(trail, postgres(url))))
      yield* server(written)
      const sealed = yield* Effect.all(
        Array.from({ length: 4 }, () => server(Effect.flatMap(AuditTrail.AuditTrail, ({ seal }) => seal))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(
        sealed.reduce((sum, count) => sum + count, 0),
        days
      )
      assert.deepStrictEqual(yield* server(states), whole)
    })
  )
})
