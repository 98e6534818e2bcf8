/**
 * Users, groups and memberships, and what follows for the users' allowances: a change of a group or a membership moves
 * the owner's bucket of everybody it touches, in the change's own transaction. For superusers.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SecureRandom } from "effect/crypto"
import { Actor } from "./Actor.ts"
import * as Audit from "./Audit.ts"
import type { AuditStore, Page } from "./AuditLog.ts"
import { BucketStore } from "./BucketStore.ts"
import { Forbidden, Invalid, NotFound, type Stale } from "./Failure.ts"
import { Grain } from "./Grain.ts"
import * as Id from "./Id.ts"
import * as Instant from "./Instant.ts"
import * as Ledger from "./Ledger.ts"
import * as Limits from "./Limits.ts"
import type { NodeStateStore } from "./NodeStateStore.ts"
import * as Period from "./Period.ts"
import * as Precondition from "./Precondition.ts"
import type { Bucket } from "./Quota.ts"
import { SettingStore } from "./SettingStore.ts"
import { SubscriptionStore } from "./SubscriptionStore.ts"
import type { StoreError } from "./Transaction.ts"
import { Transaction } from "./Transaction.ts"
import { Group, type Role, User } from "./User.ts"
import type { GroupFilter, UserFilter } from "./UserStore.ts"
import { UserStore } from "./UserStore.ts"

export interface UserDraft {
  readonly username: string
  readonly role: Role
  readonly groupIds: ReadonlyArray<string>
  /** argon2id, PHC string: hashing is the host's. */
  readonly passwordHash: string
}

/** What may be changed of a user; what is absent stays. */
export type UserPatch = Partial<Pick<User, "username" | "role" | "isDisabled">>

export type GroupDraft = Pick<Group, "name" | keyof Limits.Limits>

/** What a group's deletion did to the users who were in it. */
export interface GroupRemoval {
  readonly users: number
  /** Those who are in no group now, so that nothing restricts them. */
  readonly unrestricted: number
  /** Those whose allowance is exhausted now and was not before. */
  readonly overLimit: number
}

/** A user with what its groups grant together, and what is used of it. */
export interface UserStanding {
  readonly user: User
  readonly allowance: Limits.Allowance
  readonly bucket: Bucket
}

export type Failure = NotFound | Forbidden | Invalid | StoreError
type Answer<A> = Effect.Effect<A, Failure, Actor>
/** A change of something that is there: it may have become another version. */
type Changed<A> = Effect.Effect<A, Failure | Stale, Actor>
type Needs = BucketStore | NodeStateStore | Transaction | AuditStore | SecureRandom.SecureRandom

const changingKey = "directory.changing"

const isExhausted = ({ exhaustedUntil }: Bucket): boolean => exhaustedUntil !== null

export class Directory extends Context.Service<
  Directory,
  {
    readonly createUser: (draft: UserDraft) => Answer<UserStanding>
    /** Superusers see everybody, an operator itself. */
    readonly getUser: (id: string) => Answer<UserStanding>
    readonly listUsers: (filter: UserFilter, page: Page) => Answer<ReadonlyArray<User>>
    /** Who is disabled is signed out. There is always a superuser that can sign in: the last one stays as it is. */
    readonly changeUser: (id: string, patch: UserPatch) => Changed<UserStanding>
    /** Only one that owns nothing. Its use stays counted, its password is erased, its sessions end, its name is free. */
    readonly removeUser: (id: string) => Changed<void>
    /** Replaces the groups a user is in. */
    readonly setGroups: (id: string, groupIds: ReadonlyArray<string>) => Changed<UserStanding>
    /** Starts the owner's usage anew at this moment. An operator cannot. */
    readonly resetUser: (id: string) => Changed<UserStanding>
    readonly createGroup: (draft: GroupDraft) => Answer<Group>
    readonly getGroup: (id: string) => Answer<Group>
    readonly listGroups: (filter: GroupFilter, page: Page) => Answer<ReadonlyArray<Group>>
    readonly changeGroup: (id: string, patch: Partial<GroupDraft>) => Changed<Group>
    readonly removeGroup: (id: string) => Changed<GroupRemoval>
  }
>()("@vpnmgr/core/Directory") {
  static readonly layer = Layer.effect(
    Directory,
    Effect.gen(function* () {
      const transaction = yield* Transaction
      const users = yield* UserStore
      const settings = yield* SettingStore
      const buckets = yield* BucketStore
      const subscriptions = yield* SubscriptionStore
      const grain = yield* Grain
      const context = yield* Effect.context<Needs>()

      const owner = (id: string) => ({ kind: "owner" as const, id })
      const groupOnWire = Schema.encodeUnknownSync(Group) as (group: Group) => Record<string, Schema.Json>
      const userOnWire = Schema.encodeUnknownSync(User) as (user: User) => Record<string, Schema.Json>

      const onlySuperuser = Effect.gen(function* () {
        const actor = yield* Actor
        if (actor.role !== "superuser") return yield* new Forbidden({ detail: "Only a superuser may do this" })
      })

      /**
       * As a superuser, in one transaction, one at a time: a group changed beside somebody's membership would leave that
       * bucket with the old limits, for neither sees the other. These changes are few.
       */
      const asSuperuser = <A, E extends Failure | Stale>(
        effect: Effect.Effect<A, E, Actor | Needs>
      ): Effect.Effect<A, Failure | E, Actor> => {
        const alone = Effect.andThen(settings.set(changingKey, ""), effect)
        return Effect.andThen(onlySuperuser, transaction.run(alone)).pipe(Effect.provide(context))
      }

      const existingUser = (id: string) =>
        Effect.flatMap(users.user(id), (user) =>
          user === null ? Effect.fail(new NotFound({ noun: "user", id })) : Effect.succeed(user)
        )
      const existingGroup = (id: string) =>
        Effect.flatMap(users.group(id), (group) =>
          group === null ? Effect.fail(new NotFound({ noun: "group", id })) : Effect.succeed(group)
        )
      const existingGroups = Effect.fnUntraced(function* (ids: ReadonlyArray<string>) {
        const found = new Set((yield* users.groups(ids)).map((group) => group.id))
        const unknown = ids.find((id) => !found.has(id))
        if (unknown !== undefined)
          return yield* new Invalid({ field: "group_ids", detail: `There is no group ${unknown}` })
      })
      const wholePeriod = (period: string | null | undefined) =>
        period == null || Period.isWhole(period, grain)
          ? Effect.void
          : Effect.fail(
              new Invalid({ field: "traffic_reset_period", detail: `Expected a whole number of ${grain / 1000} s` })
            )

      /** Brings the owners' buckets to what their groups grant now. */
      const reckon = Effect.fnUntraced(function* (userIds: ReadonlyArray<string>) {
        const grants = yield* users.grantsOf(userIds)
        return yield* Ledger.change(userIds.map(owner), (bucket) => {
          const { limits } = Limits.aggregate(grants.get(bucket.id) ?? [])
          return { ...bucket, maxTraffic: limits.maxTraffic, period: limits.trafficResetPeriod }
        })
      })

      /** Keeps a superuser that can sign in. These changes are one at a time, so nobody else takes the other one away. */
      const notTheLast = Effect.fnUntraced(function* (before: User, after: User | null) {
        const canAct = (user: User | null) => user !== null && user.role === "superuser" && !user.isDisabled
        if (!canAct(before) || canAct(after) || (yield* users.countSuperusers(before.id)) > 0) return
        const field = after === null ? "id" : after.role === "superuser" ? "is_disabled" : "role"
        return yield* new Invalid({ field, detail: "It is the last superuser that can sign in" })
      })

      const standing = Effect.fnUntraced(function* (user: User) {
        const [bucket] = yield* buckets.read([owner(user.id)])
        const grants = yield* users.grantsOf([user.id])
        return { user, bucket: bucket!, allowance: Limits.aggregate(grants.get(user.id) ?? []) }
      })

      const createUser = Effect.fnUntraced(function* ({ passwordHash, ...draft }: UserDraft) {
        yield* existingGroups(draft.groupIds)
        const now = yield* Instant.now
        const id = yield* Id.make
        const user: User = { ...draft, isDisabled: false, id, createdAt: now, updatedAt: now }
        yield* users.insertUser(user, passwordHash)
        yield* buckets.insert({
          ...owner(id),
          ref: 0,
          maxTraffic: null,
          period: null,
          anchor: Math.floor(now / grain) * grain,
          cut: null,
          window: { start: 0, end: Instant.never },
          used: 0n,
          exhaustedUntil: null
        })
        yield* reckon([id])
        const meta = Audit.difference({}, userOnWire(user))
        yield* Audit.record({ action: "user.create", targetType: "user", targetId: id, meta })
        return yield* standing(user)
      })

      const setGroups = Effect.fnUntraced(function* (id: string, groupIds: ReadonlyArray<string>) {
        yield* existingGroups(groupIds)
        yield* buckets.lock([owner(id)])
        const before = yield* existingUser(id)
        yield* Precondition.holds(before.updatedAt)
        const updatedAt = Precondition.next(before.updatedAt, yield* Instant.now)
        const after = { ...before, groupIds: [...new Set(groupIds)].sort(), updatedAt }
        yield* users.updateUser(after)
        yield* reckon([id])
        const meta = Audit.difference({ group_ids: [...before.groupIds] }, { group_ids: [...after.groupIds] })
        yield* Audit.record({ action: "user.set_groups", targetType: "user", targetId: id, meta })
        return yield* standing(after)
      })

      const changeUser = Effect.fnUntraced(function* (id: string, patch: UserPatch) {
        const before = yield* existingUser(id)
        yield* Precondition.holds(before.updatedAt)
        const now = yield* Instant.now
        const after = { ...before, ...patch, updatedAt: Precondition.next(before.updatedAt, now) }
        yield* notTheLast(before, after)
        yield* users.updateUser(after)
        if (after.isDisabled) yield* users.revokeSessions(id, now, null)
        const meta = Audit.difference(userOnWire(before), userOnWire(after))
        yield* Audit.record({ action: "user.change", targetType: "user", targetId: id, meta })
        return yield* standing(after)
      })

      /** The tombstone comes first: from then on nobody gives it a subscription, so that the count holds. */
      const removeUser = Effect.fnUntraced(function* (id: string) {
        yield* buckets.lock([owner(id)])
        const before = yield* existingUser(id)
        yield* Precondition.holds(before.updatedAt)
        yield* notTheLast(before, null)
        const now = yield* Instant.now
        yield* users.deleteUser(id, now)
        const owned = yield* subscriptions.countOwned(id)
        if (owned > 0)
          return yield* new Invalid({
            field: "id",
            detail: `Subscriptions it owns: ${owned}. Move or delete them first`
          })
        yield* users.revokeSessions(id, now, null)
        yield* Ledger.change([owner(id)], (bucket) => ({ ...bucket, maxTraffic: null, period: null }))
        const meta = Audit.gone(userOnWire(before))
        yield* Audit.record({ action: "user.delete", targetType: "user", targetId: id, meta })
      })

      const createGroup = Effect.fnUntraced(function* (draft: GroupDraft) {
        yield* wholePeriod(draft.trafficResetPeriod)
        const now = yield* Instant.now
        const group: Group = { ...draft, id: yield* Id.make, createdAt: now, updatedAt: now }
        yield* users.insertGroup(group)
        yield* Audit.record({
          action: "group.create",
          targetType: "group",
          targetId: group.id,
          meta: Audit.difference({}, groupOnWire(group))
        })
        return group
      })

      const changeGroup = Effect.fnUntraced(function* (id: string, patch: Partial<GroupDraft>) {
        yield* wholePeriod(patch.trafficResetPeriod)
        const members = yield* users.usersIn(id)
        yield* buckets.lock(members.map(owner))
        const before = yield* existingGroup(id)
        yield* Precondition.holds(before.updatedAt)
        const after = { ...before, ...patch, updatedAt: Precondition.next(before.updatedAt, yield* Instant.now) }
        yield* users.updateGroup(after)
        yield* reckon(members)
        const meta = Audit.difference(groupOnWire(before), groupOnWire(after))
        yield* Audit.record({ action: "group.change", targetType: "group", targetId: id, meta })
        return after
      })

      const removeGroup = Effect.fnUntraced(function* (id: string) {
        const members = yield* users.usersIn(id)
        const locked = yield* buckets.lock(members.map(owner))
        const before = yield* existingGroup(id)
        yield* Precondition.holds(before.updatedAt)
        yield* users.deleteGroup(id)
        const weighed = yield* reckon(members)
        const grants = yield* users.grantsOf(members)
        const wasExhausted = new Set(locked.filter(isExhausted).map((bucket) => bucket.id))
        const removal = {
          users: members.length,
          unrestricted: members.filter((member) => (grants.get(member) ?? []).length === 0).length,
          overLimit: weighed.filter((bucket) => isExhausted(bucket) && !wasExhausted.has(bucket.id)).length
        }
        const counts = { users: removal.users, unrestricted: removal.unrestricted, over_limit: removal.overLimit }
        const meta = { ...Audit.gone(groupOnWire(before)), ...counts }
        yield* Audit.record({ action: "group.delete", targetType: "group", targetId: id, meta })
        return removal
      })

      const resetUser = Effect.fnUntraced(function* (id: string) {
        yield* buckets.lock([owner(id)])
        const before = yield* existingUser(id)
        yield* Precondition.holds(before.updatedAt)
        yield* Ledger.reset(owner(id))
        const after = { ...before, updatedAt: Precondition.next(before.updatedAt, yield* Instant.now) }
        yield* users.updateUser(after)
        yield* Audit.record({ action: "user.reset", targetType: "user", targetId: id })
        return yield* standing(after)
      })

      const getUser = Effect.fn("Directory.getUser")(function* (id: string) {
        const actor = yield* Actor
        if (actor.role !== "superuser" && actor.id !== id) return yield* new NotFound({ noun: "user", id })
        return yield* standing(yield* existingUser(id))
      })

      return Directory.of({
        createUser: (draft) => asSuperuser(createUser(draft)),
        getUser,
        listUsers: (filter, page) => Effect.andThen(onlySuperuser, users.listUsers(filter, page)),
        changeUser: (id, patch) => asSuperuser(changeUser(id, patch)),
        removeUser: (id) => asSuperuser(removeUser(id)),
        setGroups: (id, groupIds) => asSuperuser(setGroups(id, groupIds)),
        resetUser: (id) => asSuperuser(resetUser(id)),
        createGroup: (draft) => asSuperuser(createGroup(draft)),
        getGroup: (id) => Effect.andThen(onlySuperuser, existingGroup(id)),
        listGroups: (filter, page) => Effect.andThen(onlySuperuser, users.listGroups(filter, page)),
        changeGroup: (id, patch) => asSuperuser(changeGroup(id, patch)),
        removeGroup: (id) => asSuperuser(removeGroup(id))
      })
    })
  )
}
