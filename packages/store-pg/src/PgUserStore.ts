/** Users, groups, memberships and sessions in PostgreSQL. */
import type { Limits, User } from "@vpnmgr/core"
import { Id, UserStore } from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { at, millis } from "./Column.ts"
import { stored, written } from "./Failure.ts"
import * as PgTransaction from "./PgTransaction.ts"

const userColumns = `u.id, u.username, u.role, ${millis("u.created_at")} AS "createdAt", ${millis("u.updated_at")} AS "updatedAt",
  ARRAY(SELECT m.group_id FROM membership m WHERE m.user_id = u.id ORDER BY m.group_id) AS "groupIds"`

const limitColumns = `max_traffic AS "maxTraffic", max_speed AS "maxSpeed", traffic_reset_period AS "trafficResetPeriod"`

const groupColumns = `id, name, ${limitColumns}, ${millis("created_at")} AS "createdAt", ${millis("updated_at")} AS "updatedAt"`

type GrantRow = Limits.Limits & { readonly userId: string; readonly groupId: string }

export const layer: Layer.Layer<UserStore.UserStore, never, SqlClient.SqlClient> = Layer.effect(
  UserStore.UserStore,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const atomic = PgTransaction.make(sql)

    const join = (user: User.User) =>
      stored(sql`INSERT INTO membership (user_id, group_id)
      SELECT DISTINCT ${user.id}::uuid, group_id FROM unnest(${user.groupIds}::uuid[]) AS joined (group_id)`)

    const insertUser = Effect.fn("PgUserStore.insertUser")((user: User.User, passwordHash: string) =>
      atomic(
        Effect.andThen(
          stored(sql`INSERT INTO user_account (id, username, role, password_hash, created_at, updated_at)
            VALUES (${user.id}, ${user.username}, ${user.role}, ${passwordHash}, ${at(sql, user.createdAt)},
              ${at(sql, user.updatedAt)})`),
          Effect.asVoid(join(user))
        )
      )
    )

    const updateUser = Effect.fn("PgUserStore.updateUser")((user: User.User) =>
      atomic(
        Effect.gen(function* () {
          const found = yield* stored(sql`UPDATE user_account SET username = ${user.username}, role = ${user.role},
              created_at = ${at(sql, user.createdAt)}, updated_at = ${at(sql, user.updatedAt)}
            WHERE id = ${user.id} RETURNING id`)
          if (found.length === 0) return
          yield* stored(sql`DELETE FROM membership WHERE user_id = ${user.id}`)
          yield* join(user)
        })
      )
    )

    const userByName = Effect.fn("PgUserStore.userByName")(function* (username: string) {
      const [row] = yield* stored(
        sql<User.User & { readonly passwordHash: string }>`SELECT ${sql.literal(userColumns)},
          u.password_hash AS "passwordHash" FROM user_account u WHERE lower(u.username) = lower(${username})`
      )
      if (row === undefined) return null
      const { passwordHash, ...user } = row
      return { user, passwordHash }
    })

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
              stored(sql<User.User>`SELECT ${sql.literal(userColumns)} FROM user_account u WHERE u.id = ${id}`),
              ([row]) => row ?? null
            )
          : Effect.succeed(null),
      userByName,
      countUsers: Effect.map(
        stored(sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM user_account`),
        ([row]) => row!.count
      ),
      listUsers: ({ after, limit }) =>
        stored(sql<User.User>`SELECT ${sql.literal(userColumns)} FROM user_account u
          WHERE ${after}::uuid IS NULL OR u.id > ${after}::uuid ORDER BY u.id LIMIT ${BigInt(limit)}::bigint`),
      insertGroup: (group) =>
        written(sql`INSERT INTO user_group (id, name, max_traffic, max_speed, traffic_reset_period, created_at, updated_at)
          VALUES (${group.id}, ${group.name}, ${group.maxTraffic}, ${group.maxSpeed}, ${group.trafficResetPeriod},
            ${at(sql, group.createdAt)}, ${at(sql, group.updatedAt)})`),
      updateGroup: (group) =>
        written(sql`UPDATE user_group SET name = ${group.name}, max_traffic = ${group.maxTraffic},
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
      listGroups: ({ after, limit }) =>
        stored(sql<User.Group>`SELECT ${sql.literal(groupColumns)} FROM user_group
          WHERE ${after}::uuid IS NULL OR id > ${after}::uuid ORDER BY id LIMIT ${BigInt(limit)}::bigint`),
      usersIn: (groupId) =>
        Effect.map(
          stored(sql<{ readonly id: string }>`SELECT user_id AS id FROM membership WHERE group_id = ${groupId}
            ORDER BY user_id`),
          (rows) => rows.map((row) => row.id)
        ),
      grantsOf,
      insertSession: (session) =>
        written(sql`INSERT INTO session (id, user_id, expires_at, revoked_at)
          VALUES (${session.id}, ${session.userId}, ${at(sql, session.expiresAt)}, ${at(sql, session.revokedAt)})`),
      session: (id) =>
        Effect.map(
          stored(sql<UserStore.Session>`SELECT id, user_id AS "userId", ${sql.literal(millis("expires_at"))} AS "expiresAt",
            ${sql.literal(millis("revoked_at"))} AS "revokedAt" FROM session WHERE id = ${id}`),
          ([row]) => row ?? null
        ),
      revokeSession: (id, instant) =>
        written(sql`UPDATE session SET revoked_at = ${at(sql, instant)} WHERE id = ${id} AND revoked_at IS NULL`)
    })
  })
)
