/** What `UserStore` promises: users, groups, memberships and sessions. */
import { assert } from "@effect/vitest"
import type { User } from "@vpnmgr/core"
import { Limits, SubscriptionStore, UserStore } from "@vpnmgr/core"
import { Effect } from "effect"
import type { StoresLayer } from "./Stores.ts"
import { describeStore } from "./Stores.ts"
import { aGroup, aNode, anId, anInbound, aSubscription, aUser, entry, hour, noon, report, usedIn } from "./World.ts"

const user = (fields: Partial<User.User> = {}): User.User => {
  const id = anId()
  const standing = { role: "operator", groupIds: [], isDisabled: false, createdAt: noon, updatedAt: noon } as const
  return { id, username: `Ann-${id}`, ...standing, ...fields }
}

const aSession = Effect.fnUntraced(function* (userId: string, fields: Partial<UserStore.Session> = {}) {
  const users = yield* UserStore.UserStore
  const span = { createdAt: noon - hour, expiresAt: noon + hour, revokedAt: null }
  const session: UserStore.Session = { id: anId(), userId, ...span, ...fields }
  yield* users.insertSession(session)
  return session
})

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
        const changes = {
          username: `Bea-${ann.id}`,
          role: "superuser" as const,
          isDisabled: true,
          updatedAt: noon + hour
        }
        const after = { ...ann, ...changes }
        yield* users.updateUser(after)
        assert.deepStrictEqual(yield* users.userByName(after.username), { user: after, passwordHash: "$kept" })
        assert.strictEqual(yield* users.userByName(ann.username), null)
      })
    )

    it.effect("lists users page by page, by id", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const made = yield* Effect.replicateEffect(aUser(), 3)
        const all = yield* users.listUsers({}, { after: null, limit: 10_000 })
        const ids = all.map(({ id }) => id)
        assert.deepStrictEqual(ids, [...ids].sort())
        assert.includeMembers(ids, made)
        const [first, second] = [...made].sort()
        const [next] = yield* users.listUsers({}, { after: first!, limit: 1 })
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
        const other = yield* aGroup(Limits.unlimited)
        const some = yield* users.groups([other, id, anId(), id])
        assert.deepStrictEqual(
          some.map((each) => each.id),
          [id, other].sort()
        )
        assert.deepInclude(some, after)
        const groups = yield* users.listGroups({}, { after: null, limit: 10_000 })
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

    it.effect("lists the users that are asked for", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const group = yield* aGroup(Limits.unlimited)
        const mark = anId()
        const [ann, bob, eve] = [
          user({ username: `Ann.${mark}`, groupIds: [group] }),
          user({ username: `bob_%.${mark}`, role: "superuser" }),
          user({ username: `eve.${mark}`, isDisabled: true, groupIds: [group] })
        ]
        for (const each of [ann, bob, eve]) yield* users.insertUser(each, "$")
        const listed = (filter: UserStore.UserFilter, after: string | null = null, limit = 10) =>
          Effect.map(users.listUsers(filter, { after, limit }), (found) => found.map(({ id }) => id))
        const search = mark.toUpperCase()
        assert.deepStrictEqual(yield* listed({ search }), [ann.id, bob.id, eve.id].sort())
        assert.deepStrictEqual(yield* listed({ search: `ANN.${mark}` }), [ann.id])
        assert.deepStrictEqual(yield* listed({ search: `_%.${mark}` }), [bob.id])
        assert.deepStrictEqual(yield* listed({ search: `%${mark}` }), [])
        assert.deepStrictEqual(yield* listed({ search, role: "superuser" }), [bob.id])
        assert.deepStrictEqual(yield* listed({ search, role: "operator" }), [ann.id, eve.id].sort())
        assert.deepStrictEqual(yield* listed({ search, isDisabled: true }), [eve.id])
        assert.deepStrictEqual(yield* listed({ search, isDisabled: false }), [ann.id, bob.id].sort())
        assert.deepStrictEqual(yield* listed({ groupId: group }), [ann.id, eve.id].sort())
        assert.deepStrictEqual(yield* listed({ groupId: group, isDisabled: false }), [ann.id])
        assert.deepStrictEqual(yield* listed({ groupId: anId() }), [])
        assert.deepStrictEqual(yield* listed({ username: `aNN.${mark}` }), [ann.id])
        assert.deepStrictEqual(yield* listed({ username: mark }), [])
        const [first, second] = [ann.id, eve.id].sort()
        assert.deepStrictEqual(yield* listed({ groupId: group }, first!, 1), [second!])
      })
    )

    it.effect("searches groups by a part of their name", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const made = [yield* aGroup(Limits.unlimited), yield* aGroup(Limits.unlimited)].sort()
        const mark = anId()
        for (const id of made) yield* users.updateGroup({ ...(yield* users.group(id))!, name: `50% Off ${mark} ${id}` })
        const listed = (search: string, after: string | null = null) =>
          Effect.map(users.listGroups({ search }, { after, limit: 10 }), (found) => found.map(({ id }) => id))
        assert.deepStrictEqual(yield* listed(`50% OFF ${mark}`), made)
        assert.deepStrictEqual(yield* listed(`% off ${mark}`), made)
        assert.deepStrictEqual(yield* listed(`5_% off ${mark}`), [])
        assert.deepStrictEqual(yield* listed(`${mark} ${made[1]}`), [made[1]!])
        assert.deepStrictEqual(yield* listed(mark, made[0]!), [made[1]!])
        yield* users.updateGroup({ ...(yield* users.group(made[0]!))!, name: `Große ÄRZTE ${mark}` })
        assert.deepStrictEqual(yield* listed(`GROSSE ärzte ${mark}`), [made[0]!])
        assert.deepStrictEqual(yield* listed(`50% off ${mark}`), [made[1]!])
      })
    )

    it.effect("counts the superusers that can sign in, but for one", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const before = yield* users.countSuperusers(anId())
        const [ann, bob] = [user({ role: "superuser" }), user({ role: "superuser", isDisabled: true })]
        for (const each of [ann, bob, user()]) yield* users.insertUser(each, "$")
        assert.strictEqual(yield* users.countSuperusers(anId()), before + 1)
        assert.strictEqual(yield* users.countSuperusers(ann.id), before)
        yield* users.updateUser({ ...bob, isDisabled: false })
        assert.strictEqual(yield* users.countSuperusers(ann.id), before + 1)
        yield* users.deleteUser(bob.id, noon)
        assert.strictEqual(yield* users.countSuperusers(ann.id), before)
      })
    )

    it.effect("replaces a password, or only the one that is expected", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const ann = user()
        yield* users.insertUser(ann, "$one")
        const hash = Effect.map(users.keepUser(ann.id), (secret) => secret?.passwordHash)
        assert.isFalse(yield* users.setPassword(ann.id, "$three", "$two"))
        assert.strictEqual(yield* hash, "$one")
        assert.isTrue(yield* users.setPassword(ann.id, "$two", "$one"))
        assert.strictEqual(yield* hash, "$two")
        assert.isTrue(yield* users.setPassword(ann.id, "$four", null))
        assert.deepStrictEqual(yield* users.keepUser(ann.id), { user: ann, passwordHash: "$four" })
        assert.isFalse(yield* users.setPassword(anId(), "$", null))
      })
    )

    it.effect("forgets a deleted user: its name is free, its memberships are gone", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const group = yield* aGroup(Limits.unlimited)
        const [ann, bob] = [user({ groupIds: [group] }), user({ groupIds: [group] })]
        for (const each of [ann, bob]) yield* users.insertUser(each, "$")
        const before = yield* users.countUsers
        yield* users.deleteUser(ann.id, noon + hour)
        assert.strictEqual(yield* users.user(ann.id), null)
        assert.strictEqual(yield* users.keepUser(ann.id), null)
        assert.strictEqual(yield* users.userByName(ann.username), null)
        assert.isFalse(yield* users.setPassword(ann.id, "$new", null))
        assert.deepStrictEqual(yield* users.usersIn(group), [bob.id])
        assert.strictEqual(yield* users.countUsers, before - 1)
        yield* users.updateUser({ ...ann, updatedAt: noon + 2 * hour })
        assert.strictEqual(yield* users.user(ann.id), null)
        const heir = user({ username: ann.username.toUpperCase() })
        yield* users.insertUser(heir, "$")
        assert.deepStrictEqual((yield* users.userByName(ann.username))?.user, heir)
      })
    )

    it.effect("keeps what a deleted user used, and counts what comes late", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const subscriptions = yield* SubscriptionStore.SubscriptionStore
        const ann = yield* aUser()
        const node = yield* aNode()
        const inbound = yield* anInbound(node.id)
        const { credential, id } = yield* aSubscription({ ownerId: ann, inboundIds: [inbound.id] })
        const sent = { node, spool: anId(), seq: 1, to: noon, entries: [entry(credential, inbound.ref, 5n)] }
        yield* report(sent)
        yield* subscriptions.delete(id, noon)
        yield* users.deleteUser(ann, noon)
        assert.strictEqual(yield* usedIn("owner", ann), 5000n)
        yield* report({ ...sent, seq: 2 })
        assert.strictEqual(yield* usedIn("owner", ann), 10_000n)
      })
    )

    it.effect("keeps a session until it is revoked", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const session = yield* aSession(yield* aUser())
        assert.deepStrictEqual(yield* users.session(session.id), session)
        yield* users.renewSession(session.id, noon + 2 * hour)
        yield* users.revokeSession(session.id, noon + 1)
        yield* users.revokeSession(session.id, noon + 2)
        const after = { ...session, expiresAt: noon + 2 * hour, revokedAt: noon + 1 }
        assert.deepStrictEqual(yield* users.session(session.id), after)
        assert.strictEqual(yield* users.session(anId()), null)
        assert.strictEqual(yield* users.session("nonsense"), null)
      })
    )

    it.effect("lists the sessions that are good, somebody's or everybody's", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const [ann, bob] = [yield* aUser(), yield* aUser()]
        const good = [yield* aSession(ann), yield* aSession(ann)].sort((a, b) => (a.id < b.id ? -1 : 1))
        yield* aSession(ann, { expiresAt: noon })
        yield* aSession(ann, { revokedAt: noon })
        const other = yield* aSession(bob)
        const page = { after: null, limit: 1000 }
        assert.deepStrictEqual(yield* users.listSessions(ann, noon, page), good)
        assert.deepStrictEqual(yield* users.listSessions(ann, noon, { after: good[0]!.id, limit: 1 }), [good[1]!])
        const ids = (yield* users.listSessions(null, noon, page)).map(({ id }) => id)
        assert.includeMembers(
          ids,
          [...good, other].map(({ id }) => id)
        )
        assert.deepStrictEqual(ids, [...ids].sort())
        assert.deepStrictEqual(yield* users.listSessions(ann, noon + hour, page), [])
      })
    )

    it.effect("revokes all of a user's sessions, or all but one", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const [ann, bob] = [yield* aUser(), yield* aUser()]
        const [one, two] = [yield* aSession(ann), yield* aSession(ann)]
        const expired = yield* aSession(ann, { expiresAt: noon })
        const other = yield* aSession(bob)
        assert.strictEqual(yield* users.revokeSessions(ann, noon, one.id), 1)
        assert.strictEqual((yield* users.session(two.id))!.revokedAt, noon)
        assert.strictEqual((yield* users.session(one.id))!.revokedAt, null)
        assert.strictEqual(yield* users.revokeSessions(ann, noon + 1, null), 1)
        assert.strictEqual((yield* users.session(one.id))!.revokedAt, noon + 1)
        for (const { id } of [expired, other]) assert.strictEqual((yield* users.session(id))!.revokedAt, null)
      })
    )

    it.effect("removes expired sessions, a bounded number at a time", () =>
      Effect.gen(function* () {
        const users = yield* UserStore.UserStore
        const ann = yield* aUser()
        const long = noon - 1000 * hour
        const expired = yield* Effect.replicateEffect(aSession(ann, { expiresAt: long }), 3)
        const good = yield* aSession(ann, { expiresAt: long + 1 })
        assert.strictEqual(yield* users.removeExpired(long, 2), 2)
        assert.strictEqual(yield* users.removeExpired(long, 2), 1)
        assert.strictEqual(yield* users.removeExpired(long, 2), 0)
        for (const { id } of expired) assert.strictEqual(yield* users.session(id), null)
        assert.deepStrictEqual(yield* users.session(good.id), good)
      })
    )
  })
