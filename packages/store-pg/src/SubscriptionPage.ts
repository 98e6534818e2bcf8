/**
 * Which subscriptions a page of a list holds, as one statement: every filter and every order has an index, and the
 * planner takes the one that leaves least to read.
 */
import type { Instant } from "@vpnmgr/core"
import { Instant as Instants, SubscriptionList } from "@vpnmgr/core"
import type { SqlClient, Statement } from "effect/sql"
import { at } from "./Column.ts"

/** What `subscription s` is ordered by. */
const keys: Record<SubscriptionList.SortKey, string> = {
  id: "s.id",
  title: "s.title_key",
  created_at: "s.created_at",
  expires_at: "coalesce(s.expires_at, 'infinity')"
}

/** A search asks for so many grams at most; what they find is looked at again. */
const mostGrams = 16

/** The longest grams of a folded text, as `search_grams` makes them, spread over it. */
export const grams = (folded: string): ReadonlyArray<string> => {
  const letters = [...folded]
  const length = Math.min(3, letters.length)
  const all = letters.slice(length - 1).map((_, n) => letters.slice(n, n + length).join(""))
  const distinct = [...new Set(all)]
  const step = Math.ceil(distinct.length / mostGrams)
  return distinct.filter((_, n) => n % step === 0)
}

/** The order of a page's rows, by their `key` and `id`. */
export const order = ({ sort = "id" }: SubscriptionList.Page, table = ""): string =>
  ["key", "id"]
    .map((name) => `${table}${name}${SubscriptionList.direction(sort).isDescending ? " DESC" : ""}`)
    .join(", ")

/** Makes the statement that selects `id` and `key`, in the page's order. */
export const make = (sql: SqlClient.SqlClient) => {
  const exhausted = (at: Statement.Fragment, kind: "subscription" | "owner", id: Statement.Fragment) =>
    sql`b.id = ${id} AND b.kind = ${sql.literal(`'${kind}'`)} AND b.exhausted_until > ${at}`

  /** The owner's id: as it was asked for, so that its bucket is looked at once, or each row's. */
  const ownerOf = ({ ownerId }: SubscriptionList.Filter) =>
    typeof ownerId === "string" ? sql`${ownerId}::uuid` : sql`s.owner_id`

  const key = (by: SubscriptionList.SortKey, value: SubscriptionList.Position["key"]) =>
    by === "title"
      ? sql`${String(value)}::text`
      : at(sql, typeof value === "number" ? value : (Instants.never as Instant.Instant))

  const found = (search: string) => {
    const folded = SubscriptionList.fold(search)
    const text = sql`(search_grams(s.search_key) @> ${grams(folded)}::text[] AND strpos(s.search_key, ${folded}) > 0)`
    const range = SubscriptionList.idRange(search)
    return range === null ? text : sql`(${text} OR s.id BETWEEN ${range.from}::uuid AND ${range.to}::uuid)`
  }

  /** Not suspended and not expired. */
  const isLiving = (now: Statement.Fragment) => sql`NOT s.is_suspended AND coalesce(s.expires_at, 'infinity') > ${now}`

  const inState = (
    { is, at: instant }: NonNullable<SubscriptionList.Filter["state"]>,
    owner: Statement.Fragment
  ): Statement.Fragment => {
    const now = at(sql, instant)
    switch (is) {
      case "suspended":
        return sql`s.is_suspended`
      case "expired":
        return sql`NOT s.is_suspended AND coalesce(s.expires_at, 'infinity') <= ${now}`
      case "over_limit":
        return isLiving(now)
      case "active":
        return sql`${isLiving(now)}
          AND NOT EXISTS (SELECT FROM bucket b WHERE ${exhausted(now, "subscription", sql`s.id`)})
          AND NOT EXISTS (SELECT FROM bucket b WHERE ${exhausted(now, "owner", owner)})`
    }
  }

  const linked = (inboundIds: ReadonlyArray<string>) => sql`EXISTS (SELECT FROM subscription_inbound l
    WHERE l.subscription_id = s.id AND l.inbound_id = ANY(${inboundIds}::uuid[]) AND l.unlinked_at IS NULL)`

  const kept = (filter: SubscriptionList.Filter, inboundIds: ReadonlyArray<string>) => {
    const { ownerId, inboundId, nodeId, expiresBefore, state, search } = filter
    return [
      sql`s.deleted_at IS NULL`,
      ...(ownerId === undefined ? [] : ownerId === null ? [sql`s.owner_id IS NULL`] : [sql`s.owner_id = ${ownerId}`]),
      ...(inboundId === undefined ? [] : [linked([inboundId])]),
      ...(nodeId === undefined ? [] : [linked(inboundIds)]),
      ...(expiresBefore === undefined ? [] : [sql`coalesce(s.expires_at, 'infinity') < ${at(sql, expiresBefore)}`]),
      ...(state === undefined ? [] : [inState(state, ownerOf(filter))]),
      ...(search === undefined ? [] : [found(search)])
    ]
  }

  const beyond = (
    { by, isDescending }: ReturnType<typeof SubscriptionList.direction>,
    { key: value, id }: SubscriptionList.Position
  ) => {
    const than = sql.literal(isDescending ? "<" : ">")
    return by === "id"
      ? sql`s.id ${than} ${id}::uuid`
      : sql`(${sql.literal(keys[by])}, s.id) ${than} (${key(by, value)}, ${id}::uuid)`
  }

  /** `inboundIds` are those of the filter's node: named, the planner knows how many are linked to them. */
  return (
    filter: SubscriptionList.Filter,
    page: SubscriptionList.Page,
    inboundIds: ReadonlyArray<string>
  ): Statement.Fragment => {
    const direction = SubscriptionList.direction(page.sort ?? "id")
    const inOrder = sql.literal(order(page))
    const rest = page.after === null ? [] : [beyond(direction, page.after)]
    const conditions = [...kept(filter, inboundIds), ...rest]
    const select = (from: Statement.Fragment, more: ReadonlyArray<Statement.Fragment> = []) =>
      sql`SELECT s.id, ${sql.literal(keys[direction.by])} AS key FROM subscription s ${from}
        WHERE ${sql.and([...conditions, ...more])} ORDER BY ${inOrder} LIMIT ${BigInt(page.limit)}::bigint`
    if (filter.state?.is !== "over_limit") return select(sql``)
    const now = at(sql, filter.state.at)
    const byOwner = exhausted(now, "owner", ownerOf(filter))
    const owned =
      typeof filter.ownerId === "string"
        ? select(sql``, [sql`EXISTS (SELECT FROM bucket b WHERE ${byOwner})`])
        : select(sql`JOIN bucket b ON ${byOwner}`)
    return sql`(${select(sql`JOIN bucket b ON ${exhausted(now, "subscription", sql`s.id`)}`)})
      UNION (${owned}) ORDER BY ${inOrder} LIMIT ${BigInt(page.limit)}::bigint`
  }
}
