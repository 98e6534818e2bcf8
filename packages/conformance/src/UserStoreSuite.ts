/** What `UserStore` promises: users, groups, memberships and sessions. */
import { assert } from "@effect/vitest"
import type { User } from "@vpnmgr/core"
import { Limits, UserStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aGroup, anId, aUser, hour, noon } from "./World.ts"

const user = (fields: Partial<User.User> = {}): User.User => {
  const id = anId()
  return { id, username: `Ann-${id}`, role: "operator", groupIds: [], createdAt: noon, updatedAt: noon, ...fields }
}

/** Runs the suite on a store. */
export const suite = (name: string, stores: StoresLayer): void =>
  describeStore(`UserStore (${name})`, stores, (it) => {
    it.effect("finds a user by name, whatever its case, with the password's hash", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const ann = user({ role: "superuser" })
        yield* users.insertUser(ann, "$argon2id$ann")
        const found = { user: ann, passwordHash: "$argon2id$ann" }
        assert.deepStrictEqual(yield* users.userByName(ann.username), found)
        assert.deepStrictEqual(yield* users.userByName(ann.username.toUpperCase()), found)
        assert.deepStrictEqual(yield* users.user(ann.id), ann)
        assert.strictEqual(yield* users.userByName("nobody"), null)
        assert.strictEqual(yield* users.user(anId()), null)
      })
    )

    it.effect("refuses a name that is taken in another case", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const ann = user()
        const before = yield* users.countUsers
        yield* users.insertUser(ann, "$")
        const failure = yield* Effect.flip(users.insertUser(user({ username: ann.username.toLowerCase() }), "$"))
        assert.deepInclude(failure.reason, { _tag: "AlreadyExists", field: "username" })
        assert.strictEqual(yield* users.countUsers, before + 1)
      })
    )

    it.effect("keeps the password when the user changes", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const ann = user()
        yield* users.insertUser(ann, "$kept")
        const after = { ...ann, username: `Bea-${ann.id}`, role: "superuser" as const, updatedAt: noon + hour }
        yield* users.updateUser(after)
        assert.deepStrictEqual(yield* users.userByName(after.username), { user: after, passwordHash: "$kept" })
        assert.strictEqual(yield* users.userByName(ann.username), null)
      })
    )

    it.effect("lists users page by page, by id", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const made = yield* Effect.replicateEffect(aUser(), 3)
        const all = yield* users.listUsers({ after: null, limit: 10_000 })
        const ids = all.map(({ id }) => id)
        assert.deepStrictEqual(ids, [...ids].sort())
        assert.includeMembers(ids, made)
        const [first, second] = [...made].sort()
        const [next] = yield* users.listUsers({ after: first!, limit: 1 })
        assert.strictEqual(next!.id, ids[ids.indexOf(first!) + 1])
        assert.isAtMost(ids.indexOf(next!.id), ids.indexOf(second!))
      })
    )

    it.effect("keeps a group's limits exactly, the largest among them", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const limits = { maxTraffic: 2n ** 63n - 1n, maxSpeed: 2n ** 53n + 1n, trafficResetPeriod: "P1M" }
        const id = yield* aGroup(limits)
        const group = yield* users.group(id)
        assert.deepInclude(group, limits)
        const after = { ...group!, ...Limits.unlimited, name: "renamed", updatedAt: noon + hour }
        yield* users.updateGroup(after)
        assert.deepStrictEqual(yield* users.group(id), after)
        const groups = yield* users.listGroups({ after: null, limit: 10_000 })
        assert.deepInclude(groups, after)
      })
    )

    it.effect("tells what each user's groups grant, and an empty list for who is in none", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const small = yield* aGroup({ maxTraffic: 10n, maxSpeed: null, trafficResetPeriod: "P30D" })
        const large = yield* aGroup({ maxTraffic: null, maxSpeed: 5n, trafficResetPeriod: null })
        const [both, none] = [yield* aUser([small, large]), yield* aUser()]
        const grants = yield* users.grantsOf([both, none])
        assert.deepStrictEqual(grants.get(none), [])
        const granted = [
          { groupId: small, limits: { maxTraffic: 10n, maxSpeed: null, trafficResetPeriod: "P30D" } },
          { groupId: large, limits: { maxTraffic: null, maxSpeed: 5n, trafficResetPeriod: null } }
        ]
        assert.deepStrictEqual(grants.get(both), small < large ? granted : granted.reverse())
      })
    )

    it.effect("replaces memberships, and removes them with their group", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const [one, two] = [yield* aGroup(Limits.unlimited), yield* aGroup(Limits.unlimited)]
        const [ann, bob] = [yield* aUser([one]), yield* aUser([one, two])]
        assert.deepStrictEqual(yield* users.usersIn(one), [ann, bob].sort())
        yield* users.updateUser({ ...(yield* users.user(ann))!, groupIds: [two] })
        assert.deepStrictEqual(yield* users.usersIn(one), [bob])
        yield* users.deleteGroup(two)
        assert.strictEqual(yield* users.group(two), null)
        assert.deepStrictEqual((yield* users.user(ann))!.groupIds, [])
        assert.deepStrictEqual((yield* users.user(bob))!.groupIds, [one])
        assert.deepStrictEqual(yield* users.usersIn(two), [])
      })
    )

    it.effect("keeps a session until it is revoked", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const session = { id: anId(), userId: yield* aUser(), expiresAt: noon + hour, revokedAt: null }
        yield* users.insertSession(session)
        assert.deepStrictEqual(yield* users.session(session.id), session)
        yield* users.revokeSession(session.id, noon + 1)
        assert.deepStrictEqual(yield* users.session(session.id), { ...session, revokedAt: noon + 1 })
        assert.strictEqual(yield* users.session(anId()), null)
      })
    )
  })
