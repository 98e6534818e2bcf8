/** The port to users, groups, memberships and sessions. */
import { Context, type Effect } from "effect"
import type { Page } from "./AuditLog.ts"
import type { Instant } from "./Instant.ts"
import type { Grant } from "./Limits.ts"
import type { StoreError } from "./Transaction.ts"
import type { Group, User } from "./User.ts"

/** A user with what only sign-in may see. */
export interface UserSecret {
  readonly user: User
  /** argon2id, PHC string. */
  readonly passwordHash: string
}

/** A signed-in span; its token is worthless once revoked or expired. */
export interface Session {
  readonly id: string
  readonly userId: string
  readonly expiresAt: Instant
  readonly revokedAt: Instant | null
}

export class UserStore extends Context.Service<
  UserStore,
  {
    /** Fails with `AlreadyExists` (`username`) when the name is taken, whatever its case. */
    readonly insertUser: (user: User, passwordHash: string) => Effect.Effect<void, StoreError>
    /** Replaces the user's row and memberships. */
    readonly updateUser: (user: User) => Effect.Effect<void, StoreError>
    readonly user: (id: string) => Effect.Effect<User | null, StoreError>
    readonly userByName: (username: string) => Effect.Effect<UserSecret | null, StoreError>
    readonly countUsers: Effect.Effect<number, StoreError>
    /** By id, ascending. */
    readonly listUsers: (page: Page) => Effect.Effect<ReadonlyArray<User>, StoreError>
    readonly insertGroup: (group: Group) => Effect.Effect<void, StoreError>
    readonly updateGroup: (group: Group) => Effect.Effect<void, StoreError>
    /** Removes the group and its memberships. */
    readonly deleteGroup: (id: string) => Effect.Effect<void, StoreError>
    readonly group: (id: string) => Effect.Effect<Group | null, StoreError>
    /** By id, ascending. */
    readonly listGroups: (page: Page) => Effect.Effect<ReadonlyArray<Group>, StoreError>
    /** Ids of the users in a group, ascending. */
    readonly usersIn: (groupId: string) => Effect.Effect<ReadonlyArray<string>, StoreError>
    /** What each user's groups grant, by group id ascending; a user without groups has an empty list. */
    readonly grantsOf: (
      userIds: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyMap<string, ReadonlyArray<Grant>>, StoreError>
    readonly insertSession: (session: Session) => Effect.Effect<void, StoreError>
    readonly session: (id: string) => Effect.Effect<Session | null, StoreError>
    readonly revokeSession: (id: string, at: Instant) => Effect.Effect<void, StoreError>
  }
>()("@vpnmgr/core/UserStore") {}
