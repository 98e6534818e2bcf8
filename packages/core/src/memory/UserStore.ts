/** Users, groups and sessions in memory. */
import { Effect, HashMap, Layer } from "effect"
import type { Instant } from "../Instant.ts"
import type { Grant } from "../Limits.ts"
import { fold } from "../SubscriptionList.ts"
import { AlreadyExists, StoreError } from "../Transaction.ts"
import type { User } from "../User.ts"
import type { Session, UserFilter } from "../UserStore.ts"
import { UserStore } from "../UserStore.ts"
import { Memory } from "./Memory.ts"
import type { Tables } from "./Tables.ts"
import { byId, find, findAll, oldest } from "./Tables.ts"

const nameOf = (user: User) => user.username.toLowerCase()

const put = (tables: Tables, user: User, passwordHash: string) => {
  const holder = find(tables.usersByName, nameOf(user))
  if (holder !== undefined && holder !== user.id) {
    return new StoreError({ reason: new AlreadyExists({ field: "username" }) })
  }
  const before = find(tables.users, user.id)
  if (before !== undefined) tables.usersByName = HashMap.remove(tables.usersByName, nameOf(before.user))
  tables.usersByName = HashMap.set(tables.usersByName, nameOf(user), user.id)
  tables.users = HashMap.set(tables.users, user.id, {
    user: { ...user, groupIds: [...new Set(user.groupIds)].sort() },
    passwordHash
  })
}

const users = (tables: Readonly<Tables>) => Array.from(HashMap.values(tables.users), ({ user }) => user)

const grants = (tables: Readonly<Tables>, userId: string): ReadonlyArray<Grant> =>
  findAll(tables.groups, find(tables.users, userId)?.user.groupIds ?? []).map(
    ({ id, maxTraffic, maxSpeed, trafficResetPeriod }) => ({
      groupId: id,
      limits: { maxTraffic, maxSpeed, trafficResetPeriod }
    })
  )

const contains = (text: string, part: string | undefined) => part === undefined || fold(text).includes(fold(part))

const isWanted =
  ({ groupId, isDisabled, role, search, username }: UserFilter) =>
  (user: User) =>
    (role === undefined || user.role === role) &&
    (groupId === undefined || user.groupIds.includes(groupId)) &&
    (isDisabled === undefined || user.isDisabled === isDisabled) &&
    (username === undefined || nameOf(user) === username.toLowerCase()) &&
    contains(user.username, search)

const isGood =
  (at: Instant, userId: string | null) =>
  (session: Session): boolean =>
    session.revokedAt === null && session.expiresAt > at && (userId === null || session.userId === userId)

const goodSessions = (tables: Readonly<Tables>, at: Instant, userId: string | null) =>
  [...HashMap.values(tables.sessions)].filter(isGood(at, userId))

export const layer = Layer.effect(
  UserStore,
  Effect.map(Memory, ({ read, write }) =>
    UserStore.of({
      insertUser: (user, passwordHash) => write((tables) => put(tables, user, passwordHash)),
      updateUser: (user) =>
        write((tables) => {
          const before = find(tables.users, user.id)
          return before === undefined ? undefined : put(tables, user, before.passwordHash)
        }),
      setPassword: (id, passwordHash, replaces) =>
        write((tables) => {
          const row = find(tables.users, id)
          if (row === undefined || (replaces !== null && row.passwordHash !== replaces)) return false
          tables.users = HashMap.set(tables.users, id, { ...row, passwordHash })
          return true
        }),
      deleteUser: (id, _at) =>
        write((tables) => {
          const row = find(tables.users, id)
          if (row === undefined) return
          tables.usersByName = HashMap.remove(tables.usersByName, nameOf(row.user))
          tables.users = HashMap.remove(tables.users, id)
        }),
      user: (id) => read((tables) => find(tables.users, id)?.user ?? null),
      userByName: (username) =>
        read((tables) => find(tables.users, find(tables.usersByName, username.toLowerCase()) ?? "") ?? null),
      keepUser: (id) => read((tables) => find(tables.users, id) ?? null),
      countUsers: read((tables) => HashMap.size(tables.users)),
      countSuperusers: (except) =>
        read(
          (tables) =>
            users(tables).filter(({ id, isDisabled, role }) => role === "superuser" && !isDisabled && id !== except)
              .length
        ),
      listUsers: (filter, page) => read((tables) => oldest(users(tables).filter(isWanted(filter)), page)),
      insertGroup: (group) =>
        write((tables) => {
          tables.groups = HashMap.set(tables.groups, group.id, group)
        }),
      updateGroup: (group) =>
        write((tables) => {
          if (HashMap.has(tables.groups, group.id)) tables.groups = HashMap.set(tables.groups, group.id, group)
        }),
      deleteGroup: (id) =>
        write((tables) => {
          tables.groups = HashMap.remove(tables.groups, id)
          tables.users = HashMap.map(tables.users, (row) =>
            row.user.groupIds.includes(id)
              ? { ...row, user: { ...row.user, groupIds: row.user.groupIds.filter((groupId) => groupId !== id) } }
              : row
          )
        }),
      group: (id) => read((tables) => find(tables.groups, id) ?? null),
      groups: (ids) => read((tables) => byId(findAll(tables.groups, ids))),
      listGroups: ({ search }, page) =>
        read((tables) =>
          oldest(
            [...HashMap.values(tables.groups)].filter(({ name }) => contains(name, search)),
            page
          )
        ),
      usersIn: (groupId) =>
        read((tables) =>
          byId(users(tables))
            .filter((user) => user.groupIds.includes(groupId))
            .map((user) => user.id)
        ),
      grantsOf: (userIds) => read((tables) => new Map(userIds.map((id) => [id, grants(tables, id)]))),
      insertSession: (session) =>
        write((tables) => {
          tables.sessions = HashMap.set(tables.sessions, session.id, session)
        }),
      session: (id) => read((tables) => find(tables.sessions, id) ?? null),
      listSessions: (userId, at, page) => read((tables) => oldest(goodSessions(tables, at, userId), page)),
      renewSession: (id, expiresAt) =>
        write((tables) => {
          const session = find(tables.sessions, id)
          if (session !== undefined) tables.sessions = HashMap.set(tables.sessions, id, { ...session, expiresAt })
        }),
      revokeSession: (id, at) =>
        write((tables) => {
          const session = find(tables.sessions, id)
          if (session === undefined || session.revokedAt !== null) return
          tables.sessions = HashMap.set(tables.sessions, id, { ...session, revokedAt: at })
        }),
      revokeSessions: (userId, at, except) =>
        write((tables) => {
          const ended = goodSessions(tables, at, userId).filter(({ id }) => id !== except)
          tables.sessions = HashMap.setMany(
            tables.sessions,
            ended.map((session) => [session.id, { ...session, revokedAt: at }])
          )
          return ended.length
        }),
      removeExpired: (by, limit) =>
        write((tables) => {
          const expired = [...HashMap.values(tables.sessions)]
            .filter(({ expiresAt }) => expiresAt <= by)
            .slice(0, limit)
          tables.sessions = HashMap.removeMany(
            tables.sessions,
            expired.map(({ id }) => id)
          )
          return expired.length
        })
    })
  )
)
