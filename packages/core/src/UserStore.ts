/** The port to users, groups, memberships and sessions. */
import { Context, type Effect } from "effect"
import type { Page } from "./AuditLog.ts"
import type { Instant } from "./Instant.ts"
import type { Grant } from "./Limits.ts"
import type { StoreError } from "./Transaction.ts"
import type { Group, Role, User } from "./User.ts"

/** A user with what only sign-in may see. */
export interface UserSecret {
  readonly user: User
  /** argon2id, PHC string. */
  readonly passwordHash: string
}

/** Which users to list; what is absent restricts nothing. Names are compared whatever their case. */
export interface UserFilter {
  readonly role?: Role
  readonly groupId?: string
  readonly isDisabled?: boolean
  readonly username?: string
  /** A part of the username. */
  readonly search?: string
}

export interface GroupFilter {
  /** A part of the name, whatever its case. */
  readonly search?: string
}

/** A signed-in span; its token is worthless once revoked or expired. */
export interface Session {
  readonly id: string
  readonly userId: string
  readonly createdAt: Instant
  readonly expiresAt: Instant
  readonly revokedAt: Instant | null
}

export class UserStore extends Context.Service<
  UserStore,
  {
    /** Fails with `AlreadyExists` (`username`) when the name is taken, whatever its case. */
    readonly insertUser: (user: User, passwordHash: string) => Effect.Effect<void, StoreError>
    /** Replaces the user's row and memberships. `AlreadyExists` for `username`. */
    readonly updateUser: (user: User) => Effect.Effect<void, StoreError>
    /** Replaces the hash; with `replaces`, only while it is that one. True when it was replaced. */
    readonly setPassword: (
      id: string,
      passwordHash: string,
      replaces: string | null
    ) => Effect.Effect<boolean, StoreError>
    /** Leaves a tombstone: the hash and the memberships are erased at once, and the name is free again. */
    readonly deleteUser: (id: string, at: Instant) => Effect.Effect<void, StoreError>
    /** Null for one that is deleted or never was. */
    readonly user: (id: string) => Effect.Effect<User | null, StoreError>
    readonly userByName: (username: string) => Effect.Effect<UserSecret | null, StoreError>
    /** The same by id, and nobody changes or deletes it until the transaction ends. */
    readonly keepUser: (id: string) => Effect.Effect<UserSecret | null, StoreError>
    readonly countUsers: Effect.Effect<number, StoreError>
    /** Superusers that are not disabled, without this one. */
    readonly countSuperusers: (except: string) => Effect.Effect<number, StoreError>
    /** By id, ascending. */
    readonly listUsers: (filter: UserFilter, page: Page) => Effect.Effect<ReadonlyArray<User>, StoreError>
    readonly insertGroup: (group: Group) => Effect.Effect<void, StoreError>
    readonly updateGroup: (group: Group) => Effect.Effect<void, StoreError>
    /** Removes the group and its memberships. */
    readonly deleteGroup: (id: string) => Effect.Effect<void, StoreError>
    readonly group: (id: string) => Effect.Effect<Group | null, StoreError>
    /** Those of them that there are, by id, ascending. */
    readonly groups: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Group>, StoreError>
    /** By id, ascending. */
    readonly listGroups: (filter: GroupFilter, page: Page) => Effect.Effect<ReadonlyArray<Group>, StoreError>
    /** Ids of the users in a group, ascending. */
    readonly usersIn: (groupId: string) => Effect.Effect<ReadonlyArray<string>, StoreError>
    /** What each user's groups grant, by group id ascending; a user without groups has an empty list. */
    readonly grantsOf: (
      userIds: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyMap<string, ReadonlyArray<Grant>>, StoreError>
    readonly insertSession: (session: Session) => Effect.Effect<void, StoreError>
    readonly session: (id: string) => Effect.Effect<Session | null, StoreError>
    /** Sessions that are good at an instant, everybody's for null; by id, ascending. */
    readonly listSessions: (
      userId: string | null,
      at: Instant,
      page: Page
    ) => Effect.Effect<ReadonlyArray<Session>, StoreError>
    readonly renewSession: (id: string, expiresAt: Instant) => Effect.Effect<void, StoreError>
    readonly revokeSession: (id: string, at: Instant) => Effect.Effect<void, StoreError>
    /** Revokes what is good of a user's sessions, without `except`; answers how many. */
    readonly revokeSessions: (userId: string, at: Instant, except: string | null) => Effect.Effect<number, StoreError>
    /** Removes at most `limit` sessions that expired by then; answers how many. */
    readonly removeExpired: (by: Instant, limit: number) => Effect.Effect<number, StoreError>
  }
>()("@vpnmgr/core/UserStore") {}
