/** What two people do to users at the same moment, on a real PostgreSQL: one of them comes second and is told so. */
import { assert, layer } from "@effect/vitest"
import { Actor, ControlPlane, Directory, Id, Sessions, SubscriptionStore, Subscriptions, UserStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { describe } from "vitest"
import { database, postgresClient, skipped } from "./Databases.ts"

const url = await database()
const rounds = 20

const services = ControlPlane.layer.pipe(Layer.provideMerge(postgresClient(url)))

const asSystem = Effect.provideService(Actor.Actor, Actor.system)
const as = (id: string, role: "superuser" | "operator") => Effect.provideService(Actor.Actor, { id, role })

const made = Effect.fnUntraced(function* (role: "superuser" | "operator") {
  const directory = yield* Directory.Directory
  const draft = { username: crypto.randomUUID(), role, groupIds: [], passwordHash: "$one" }
  return (yield* asSystem(directory.createUser(draft))).user.id
})

/** What became of each, success or the failure's tag. */
const outcome = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.match(effect, { onSuccess: () => "done", onFailure: ({ _tag }) => _tag })

const draft = { title: null, description: null, expiresAt: null, maxTraffic: null, maxSpeed: null } as const
const owned = (ownerId: string) => ({ ...draft, ownerId, trafficResetPeriod: null, inboundIds: [], anchor: null })

describe.skipIf(skipped !== "")(`People at the same moment${skipped}`, () => {
  layer(services, { timeout: "60 seconds", excludeTestServices: true })("in PostgreSQL", (it) => {
    it.effect(
      "cannot take the last superuser away between them",
      () =>
        Effect.gen(function* () {
          const directory = yield* Directory.Directory
          const users = yield* UserStore.UserStore
          const ways = {
            demote: (id: string) => directory.changeUser(id, { role: "operator" }),
            disable: (id: string) => directory.changeUser(id, { isDisabled: true }),
            remove: (id: string) => directory.removeUser(id)
          }
          const all = Object.values(ways)
          let survivor = yield* made("superuser")
          for (let n = 0; n < rounds; n++) {
            const other = yield* made("superuser")
            assert.strictEqual(yield* users.countSuperusers(Id.system), 2)
            const seen = yield* Effect.all(
              [
                outcome(as(survivor, "superuser")(all[n % 3]!(other))),
                outcome(as(other, "superuser")(all[(n + 1) % 3]!(survivor)))
              ],
              { concurrency: 2 }
            )
            assert.deepStrictEqual([...seen].sort(), ["Invalid", "done"], `round ${n}`)
            assert.strictEqual(yield* users.countSuperusers(Id.system), 1)
            if (seen[1] === "done") survivor = other
          }
          const [second, third] = [yield* made("superuser"), yield* made("superuser")]
          const control = yield* Effect.all(
            [
              outcome(as(second, "superuser")(ways.demote(third))),
              outcome(as(third, "superuser")(ways.demote(second)))
            ],
            { concurrency: 2 }
          )
          assert.deepStrictEqual(control, ["done", "done"])
        }),
      60_000
    )

    it.effect("leave a row without a password and without groups when they are deleted", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const directory = yield* Directory.Directory
        const limits = { maxTraffic: null, maxSpeed: null, trafficResetPeriod: null }
        const group = yield* asSystem(directory.createGroup({ name: "left", ...limits }))
        const id = yield* made("operator")
        yield* asSystem(directory.setGroups(id, [group.id]))
        const left = sql`SELECT password_hash AS hash, deleted_at IS NOT NULL AS "isDeleted",
          (SELECT count(*)::int FROM membership m WHERE m.user_id = u.id) AS groups FROM user_account u WHERE id = ${id}`
        assert.deepStrictEqual(yield* left, [{ hash: "$one", isDeleted: false, groups: 1 }])
        yield* asSystem(directory.removeUser(id))
        assert.deepStrictEqual(yield* left, [{ hash: null, isDeleted: true, groups: 0 }])
      })
    )

    it.effect(
      "do not leave a subscription with an owner who was deleted",
      () =>
        Effect.gen(function* () {
          const directory = yield* Directory.Directory
          const users = yield* UserStore.UserStore
          const subscriptions = yield* Subscriptions.Subscriptions
          const store = yield* SubscriptionStore.SubscriptionStore
          yield* made("superuser")
          const moved = yield* asSystem(subscriptions.create({ ...owned(""), ownerId: null }))
          for (let n = 0; n < rounds; n++) {
            const owner = yield* made("operator")
            const given =
              n % 2 === 0
                ? subscriptions.create(owned(owner))
                : subscriptions.change(moved.subscription.id, { ownerId: owner })
            const [gave] = yield* Effect.all(
              [outcome(asSystem(given)), outcome(asSystem(directory.removeUser(owner)))],
              { concurrency: 2 }
            )
            const count = yield* store.countOwned(owner)
            const isThere = (yield* users.user(owner)) !== null
            assert.deepStrictEqual([isThere, count], gave === "done" ? [true, 1] : [false, 0], `round ${n}`)
          }
          const [first, second] = [yield* made("operator"), yield* made("operator")]
          const give = (owner: string) => outcome(asSystem(subscriptions.create(owned(owner))))
          const remove = (owner: string) => outcome(asSystem(directory.removeUser(owner)))
          assert.deepStrictEqual([yield* give(first), yield* remove(first)], ["done", "Invalid"])
          assert.deepStrictEqual([yield* remove(second), yield* give(second)], ["done", "Invalid"])
        }),
      60_000
    )

    it.effect(
      "do not sign in with a password that is being reset",
      () =>
        Effect.gen(function* () {
          const sessions = yield* Sessions.Sessions
          const users = yield* UserStore.UserStore
          const id = yield* made("operator")
          const span = { lifetime: 3_600_000, maximum: 3_600_000 }
          for (let n = 0; n < rounds; n++) {
            const secret = yield* users.keepUser(id)
            yield* Effect.all([sessions.open(secret!, span), asSystem(sessions.resetPassword(id, `$${n}`))], {
              concurrency: 2
            })
            assert.deepStrictEqual(yield* users.listSessions(id, Date.now(), { after: null, limit: 10 }), [])
          }
          const secret = yield* users.keepUser(id)
          assert.isNotNull(yield* sessions.open(secret!, span))
          assert.lengthOf(yield* users.listSessions(id, Date.now(), { after: null, limit: 10 }), 1)
        }),
      60_000
    )
  })
})
