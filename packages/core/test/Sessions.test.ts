/** Sessions by the clock, and against what happens while a password is being checked. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Actor, ControlPlane, Directory, MemoryStores, Sessions, UserStore } from "../src/index.ts"

const services = ControlPlane.layer.pipe(Layer.provideMerge(MemoryStores.layer))

const hour = 3_600_000
const span = { lifetime: hour, maximum: 4 * hour }
const page = { after: null, limit: 100 }

const asSystem = Effect.provideService(Actor.Actor, Actor.system)

/** A user with a secret of its own, and what it is to others. */
const made = Effect.fnUntraced(function* (role: "operator" | "superuser" = "operator") {
  const directory = yield* Directory.Directory
  const users = yield* UserStore.UserStore
  const draft = { username: crypto.randomUUID(), role, groupIds: [], passwordHash: "$one" }
  const { user } = yield* asSystem(directory.createUser(draft))
  const secret = yield* users.keepUser(user.id)
  return { user, secret: secret!, as: Effect.provideService(Actor.Actor, { id: user.id, role }) }
})

layer(services)("A session", (it) => {
  it.effect("lasts an hour since it was renewed, and never longer than its maximum", () =>
    Effect.gen(function* () {
      const sessions = yield* Sessions.Sessions
      const { as, secret } = yield* made()
      const opened = yield* sessions.open(secret, span)
      assert.strictEqual(opened!.expiresAt, opened!.createdAt + hour)
      const ends: Array<number> = []
      for (let n = 0; n < 5; n++) {
        yield* TestClock.adjust(0.75 * hour)
        ends.push((yield* as(sessions.renew(opened!.id, span))).expiresAt - opened!.createdAt)
      }
      assert.deepStrictEqual(
        ends,
        [1.75, 2.5, 3.25, 4, 4].map((hours) => hours * hour)
      )
      yield* TestClock.adjust(0.25 * hour)
      const over = yield* Effect.flip(as(sessions.renew(opened!.id, span)))
      assert.strictEqual(over._tag, "NotFound")
      assert.deepStrictEqual(yield* as(sessions.list({}, page)), [])
    })
  )

  it.effect("is removed once it has expired, revoked or not", () =>
    Effect.gen(function* () {
      const sessions = yield* Sessions.Sessions
      const users = yield* UserStore.UserStore
      const { as, secret } = yield* made()
      yield* TestClock.adjust(hour)
      yield* sessions.removeExpired
      const [first, second] = [yield* sessions.open(secret, span), yield* sessions.open(secret, span)]
      yield* as(sessions.revoke(first!.id))
      yield* TestClock.adjust(hour - 1)
      assert.strictEqual(yield* sessions.removeExpired, 0)
      assert.isNotNull(yield* users.session(second!.id))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* sessions.removeExpired, 2)
      assert.isNull(yield* users.session(second!.id))
    })
  )

  it.effect("is not opened with a password that was replaced while it was being checked", () =>
    Effect.gen(function* () {
      const sessions = yield* Sessions.Sessions
      const users = yield* UserStore.UserStore
      const { secret, user } = yield* made()
      assert.isNotNull(yield* sessions.open(secret, span))
      assert.strictEqual(yield* asSystem(sessions.resetPassword(user.id, "$two")), 1)
      assert.isNull(yield* sessions.open(secret, span))
      const renewed = yield* users.keepUser(user.id)
      assert.isNotNull(yield* sessions.open(renewed!, span))
      yield* users.updateUser({ ...user, isDisabled: true })
      assert.isNull(yield* sessions.open(renewed!, span))
    })
  )

  it.effect("outlives its user's own change of the password, alone, and only with the current one", () =>
    Effect.gen(function* () {
      const sessions = yield* Sessions.Sessions
      const { as, secret } = yield* made()
      const [kept] = [yield* sessions.open(secret, span), yield* sessions.open(secret, span)]
      const change = { passwordHash: "$two", keep: kept!.id }
      assert.isNull(yield* as(sessions.changePassword({ ...change, replaces: "$another" })))
      assert.lengthOf(yield* as(sessions.list({}, page)), 2)
      assert.strictEqual(yield* as(sessions.changePassword({ ...change, replaces: "$one" })), 1)
      assert.deepStrictEqual(yield* as(sessions.list({}, page)), [kept!])
      const refused = yield* Effect.flip(as(sessions.resetPassword(kept!.userId, "$three")))
      assert.strictEqual(refused._tag, "Forbidden")
    })
  )
})
