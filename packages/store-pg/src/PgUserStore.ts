/** Users, groups, memberships and sessions in PostgreSQL. */
import type { Limits, User } from "@vpnmgr/core"
import { Id, SubscriptionList, UserStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { at, millis } from "./Column.ts"
import { stored, written } from "./Failure.ts"
import { groupColumns, limitColumns, userColumns } from "./PeoplePage.ts"
import * as PeoplePage from "./PeoplePage.ts"
import * as PgTransaction from "./PgTransaction.ts"

const sessionColumns = `id, user_id AS "userId", ${millis("created_at")} AS "createdAt",
  ${millis("expires_at")} AS "expiresAt", ${millis("revoked_at")} AS "revokedAt"`

type SecretRow = User.User & { readonly passwordHash: string }

const secretOf = (row: SecretRow | undefined): UserStore.UserSecret | null => {
  if (row === undefined) return null
  const { passwordHash, ...user } = row
  return { user, passwordHash }
}

type GrantRow = Limits.Limits & { readonly userId: string; readonly groupId: string }

export const layer: Layer.Layer<UserStore.UserStore, never, SqlClient.SqlClient> = Layer.effect(
  UserStore.UserStore,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const atomic = PgTransaction.make(sql)
    const pages = PeoplePage.make(sql)

    const join = (user: User.User) =>
      stored(sql`INSERT INTO membership (user_id, group_id)
      SELECT DISTINCT ${user.id}::uuid, group_id FROM unnest(${user.groupIds}::uuid[]) AS joined (group_id)`)

    const insertUser = Effect.fn("PgUserStore.insertUser")((user: User.User, passwordHash: string) =>
      atomic(
        Effect.andThen(
          stored(sql`INSERT INTO user_account (id, username, role, is_disabled, password_hash, created_at, updated_at)
            VALUES (${user.id}, ${user.username}, ${user.role}, ${user.isDisabled}, ${passwordHash},
              ${at(sql, user.createdAt)}, ${at(sql, user.updatedAt)})`),
          Effect.asVoid(join(user))
        )
      )
    )

    const updateUser = Effect.fn("PgUserStore.updateUser")((user: User.User) =>
      atomic(
        Effect.gen(function* () {
          const found = yield* stored(sql`UPDATE user_account SET username = ${user.username}, role = ${user.role},
              is_disabled = ${user.isDisabled}, created_at = ${at(sql, user.createdAt)},
              updated_at = ${at(sql, user.updatedAt)}
            WHERE id = ${user.id} AND deleted_at IS NULL RETURNING id`)
          if (found.length === 0) return
          yield* stored(sql`DELETE FROM membership WHERE user_id = ${user.id}`)
          yield* join(user)
        })
      )
    )

    const deleteUser = Effect.fn("PgUserStore.deleteUser")((id: string, instant: number) =>
      atomic(
        Effect.andThen(
          stored(sql`UPDATE user_account SET deleted_at = ${at(sql, instant)}, password_hash = NULL
            WHERE id = ${id} AND deleted_at IS NULL`),
          written(sql`DELETE FROM membership WHERE user_id = ${id}`)
        )
      )
    )

    const secret = (which: Statement.Fragment) =>
      Effect.map(
        stored(sql<SecretRow>`SELECT ${sql.literal(userColumns)}, u.password_hash AS "passwordHash"
          FROM user_account u WHERE u.deleted_at IS NULL AND ${which}`),
        ([row]) => secretOf(row)
      )

    const changed = (statement: Effect.Effect<ReadonlyArray<unknown>, SqlError.SqlError>) =>
      Effect.map(stored(statement), (rows) => rows.length)

    const grantsOf = Effect.fn("PgUserStore.grantsOf")(function* (userIds: ReadonlyArray<string>) {
      const rows =
        yield* stored(sql<GrantRow>`SELECT m.user_id AS "userId", g.id AS "groupId", ${sql.literal(limitColumns)}
        FROM membership m JOIN user_group g ON g.id = m.group_id
        WHERE m.user_id = ANY(${userIds}::uuid[]) ORDER BY g.id`)
      const grants = new Map<string, Array<Limits.Grant>>(userIds.map((id) => [id, []]))
      for (const { userId, groupId, ...limits } of rows) grants.get(userId)?.push({ groupId, limits })
      return grants
    })

    return UserStore.UserStore.of({
      insertUser,
      updateUser,
      user: (id) =>
        Id.isUuid(id)
          ? Effect.map(
              stored(sql<User.User>`SELECT ${sql.literal(userColumns)} FROM user_account u
                WHERE u.id = ${id} AND u.deleted_at IS NULL`),
              ([row]) => row ?? null
            )
          : Effect.succeed(null),
      userByName: (username) => secret(sql`lower(u.username) = lower(${username})`),
      keepUser: (id) => (Id.isUuid(id) ? secret(sql`u.id = ${id} FOR SHARE OF u`) : Effect.succeed(null)),
      setPassword: (id, passwordHash, replaces) =>
        Effect.map(
          changed(sql`UPDATE user_account SET password_hash = ${passwordHash} WHERE id = ${id} AND deleted_at IS NULL
            AND (${replaces}::text IS NULL OR password_hash = ${replaces}) RETURNING id`),
          (count) => count > 0
        ),
      deleteUser,
      countUsers: Effect.map(
        stored(
          sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM user_account WHERE deleted_at IS NULL`
        ),
        ([row]) => row!.count
      ),
      countSuperusers: (except) =>
        Effect.map(
          stored(sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM user_account
            WHERE role = 'superuser' AND NOT is_disabled AND deleted_at IS NULL AND id <> ${except}`),
          ([row]) => row!.count
        ),
      listUsers: (filter, page) => stored(pages.users(filter, page)),
      insertGroup: (group) =>
        written(sql`INSERT INTO user_group (id, name, name_key, max_traffic, max_speed, traffic_reset_period, created_at, updated_at)
          VALUES (${group.id}, ${group.name}, ${SubscriptionList.fold(group.name)}, ${group.maxTraffic}, ${group.maxSpeed}, ${group.trafficResetPeriod},
            ${at(sql, group.createdAt)}, ${at(sql, group.updatedAt)})`),
      updateGroup: (group) =>
        written(sql`UPDATE user_group SET name = ${group.name}, name_key = ${SubscriptionList.fold(group.name)}, max_traffic = ${group.maxTraffic},
            max_speed = ${group.maxSpeed}, traffic_reset_period = ${group.trafficResetPeriod},
            created_at = ${at(sql, group.createdAt)}, updated_at = ${at(sql, group.updatedAt)}
          WHERE id = ${group.id}`),
      deleteGroup: (id) =>
        written(sql`WITH left_by AS (DELETE FROM membership WHERE group_id = ${id})
          DELETE FROM user_group WHERE id = ${id}`),
      group: (id) =>
        Id.isUuid(id)
          ? Effect.map(
              stored(sql<User.Group>`SELECT ${sql.literal(groupColumns)} FROM user_group WHERE id = ${id}`),
              ([row]) => row ?? null
            )
          : Effect.succeed(null),
      groups: (ids) =>
        stored(sql<User.Group>`SELECT ${sql.literal(groupColumns)} FROM user_group
          WHERE id = ANY(${ids.filter(Id.isUuid)}::uuid[]) ORDER BY id`),
      listGroups: (filter, page) => stored(pages.groups(filter, page)),
      usersIn: (groupId) =>
        Effect.map(
          stored(sql<{ readonly id: string }>`SELECT user_id AS id FROM membership WHERE group_id = ${groupId}
            ORDER BY user_id`),
          (rows) => rows.map((row) => row.id)
        ),
      grantsOf,
      insertSession: (session) =>
        written(sql`INSERT INTO session (id, user_id, created_at, expires_at, revoked_at)
          VALUES (${session.id}, ${session.userId}, ${at(sql, session.createdAt)}, ${at(sql, session.expiresAt)},
            ${at(sql, session.revokedAt)})`),
      session: (id) =>
        Id.isUuid(id)
          ? Effect.map(
              stored(sql<UserStore.Session>`SELECT ${sql.literal(sessionColumns)} FROM session WHERE id = ${id}`),
              ([row]) => row ?? null
            )
          : Effect.succeed(null),
      listSessions: (userId, instant, { after, limit }) =>
        stored(
          sql<UserStore.Session>`SELECT ${sql.literal(sessionColumns)} FROM session WHERE ${sql.and([
            sql`revoked_at IS NULL AND expires_at > ${at(sql, instant)}`,
            ...(userId === null ? [] : [sql`user_id = ${userId}`]),
            ...(after === null ? [] : [sql`id > ${after}`])
          ])} ORDER BY id LIMIT ${BigInt(limit)}::bigint`
        ),
      renewSession: (id, expiresAt) =>
        written(sql`UPDATE session SET expires_at = ${at(sql, expiresAt)} WHERE id = ${id}`),
      revokeSession: (id, instant) =>
        written(sql`UPDATE session SET revoked_at = ${at(sql, instant)} WHERE id = ${id} AND revoked_at IS NULL`),
      revokeSessions: (userId, instant, except) =>
        changed(sql`UPDATE session SET revoked_at = ${at(sql, instant)} WHERE user_id = ${userId} AND revoked_at IS NULL
          AND expires_at > ${at(sql, instant)} AND id IS DISTINCT FROM ${except}::uuid RETURNING id`),
      removeExpired: (by, limit) =>
        changed(sql`DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at <= ${at(sql, by)}
          ORDER BY expires_at LIMIT ${BigInt(limit)}::bigint FOR UPDATE SKIP LOCKED) RETURNING id`)
    })
  })
)
