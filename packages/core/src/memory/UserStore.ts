/** Users, groups and sessions in memory. */
import { Effect, HashMap, Layer } from "effect"
import type { Grant } from "../Limits.ts"
import { AlreadyExists, StoreError } from "../Transaction.ts"
import type { User } from "../User.ts"
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
      user: (id) => read((tables) => find(tables.users, id)?.user ?? null),
      userByName: (username) =>
        read((tables) => find(tables.users, find(tables.usersByName, username.toLowerCase()) ?? "") ?? null),
      countUsers: read((tables) => HashMap.size(tables.users)),
      listUsers: (page) => read((tables) => oldest(users(tables), page)),
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
      listGroups: (page) => read((tables) => oldest(HashMap.values(tables.groups), page)),
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
      revokeSession: (id, at) =>
        write((tables) => {
          const session = find(tables.sessions, id)
          if (session === undefined || session.revokedAt !== null) return
          tables.sessions = HashMap.set(tables.sessions, id, { ...session, revokedAt: at })
        })
    })
  )
)
