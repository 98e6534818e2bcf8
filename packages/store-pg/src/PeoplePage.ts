/** Which users or groups a page of a list holds: by id, each filter from an index where it leaves little. */
import { type AuditLog, SubscriptionList, type User, type UserStore } from "@vpnmgr/core"
import type { SqlClient, Statement } from "effect/sql"
import { millis } from "./Column.ts"
import * as Grams from "./Grams.ts"

/** A user of `user_account u`. */
export const userColumns = `u.id, u.username, u.role, u.is_disabled AS "isDisabled",
  ${millis("u.created_at")} AS "createdAt", ${millis("u.updated_at")} AS "updatedAt",
  ARRAY(SELECT m.group_id FROM membership m WHERE m.user_id = u.id ORDER BY m.group_id) AS "groupIds"`

/** The limits of `user_group`. */
export const limitColumns = `max_traffic AS "maxTraffic", max_speed AS "maxSpeed",
  traffic_reset_period AS "trafficResetPeriod"`

/** A group of `user_group`. */
export const groupColumns = `id, name, ${limitColumns}, ${millis("created_at")} AS "createdAt",
  ${millis("updated_at")} AS "updatedAt"`

/** Makes the statements that select pages. */
export const make = (sql: SqlClient.SqlClient) => {
  const finds = (column: string, search: string) => {
    const folded = SubscriptionList.fold(search)
    const key = sql.literal(column)
    return sql`search_grams(${key}) @> ${Grams.spread(folded)}::text[] AND strpos(${key}, ${folded}) > 0`
  }
  const kept = (conditions: ReadonlyArray<Statement.Fragment | undefined>) =>
    sql.and([sql`true`, ...conditions.filter((condition) => condition !== undefined)])

  return {
    users: ({ groupId, isDisabled, role, search, username }: UserStore.UserFilter, { after, limit }: AuditLog.Page) =>
      sql<User.User>`SELECT ${sql.literal(userColumns)} FROM user_account u WHERE ${kept([
        sql`u.deleted_at IS NULL`,
        role && sql`u.role = ${sql.literal(role === "superuser" ? "'superuser'" : "'operator'")}`,
        isDisabled === undefined ? undefined : isDisabled ? sql`u.is_disabled` : sql`NOT u.is_disabled`,
        username === undefined ? undefined : sql`lower(u.username) = lower(${username})`,
        search === undefined ? undefined : finds("lower(u.username)", search),
        groupId === undefined
          ? undefined
          : sql`u.id IN (SELECT m.user_id FROM membership m WHERE m.group_id = ${groupId})`,
        after === null ? undefined : sql`u.id > ${after}`
      ])} ORDER BY u.id LIMIT ${BigInt(limit)}::bigint`,

    groups: ({ search }: UserStore.GroupFilter, { after, limit }: AuditLog.Page) =>
      sql<User.Group>`SELECT ${sql.literal(groupColumns)} FROM user_group WHERE ${kept([
        search === undefined ? undefined : finds("name_key", search),
        after === null ? undefined : sql`id > ${after}`
      ])} ORDER BY id LIMIT ${BigInt(limit)}::bigint`
  }
}
