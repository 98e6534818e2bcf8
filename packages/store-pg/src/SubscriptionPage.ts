/**
 * Which subscriptions a page of a list holds, as statements.
 *
 * A page that an index has in order is read from it. Any other is looked for `near` first, among the next rows in order,
 * which finds what many have after a few of them; and only when that has not filled it `far`, by what the filters' own
 * indexes find, all of it, put in order. So what is common and what is rare are both found soon, and no estimate of the
 * planner decides between the two. They are statements of their own: one for both would be estimated, and compiled (JIT),
 * for the worse of them each time. Measured: decision 0032.
 */
import type { Instant } from "@vpnmgr/core"
import { Instant as Instants, SubscriptionList } from "@vpnmgr/core"
import type { SqlClient, Statement } from "effect/sql"
import { at } from "./Column.ts"
import * as Grams from "./Grams.ts"

/** What `subscription s` is ordered by. */
const keys: Record<SubscriptionList.SortKey, string> = {
  id: "s.id",
  title: "s.title_key",
  created_at: "s.created_at",
  expires_at: "coalesce(s.expires_at, 'infinity')"
}

/** How many rows are looked at in order: as many as take some 3 ms, where each is a row alone, and where it asks tables. */
const reach = { alone: 10_000, asking: 2500 }

/** A share of all rows so small that `near` is not worth it. */
const rare = 0.005

/** Where a page is found. When `near` gives fewer rows than the page asks for, the page is what `far` gives. */
export interface Statements {
  readonly near: Statement.Fragment
  readonly far: Statement.Fragment | null
}

/** What a page is made for, beside what was asked. */
export interface Known {
  /** Those of the filter's node: named, the planner knows how many are linked to them. */
  readonly inboundIds: ReadonlyArray<string>
  readonly frequencies: Grams.Frequencies
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

  const holding = (search: string) => sql`strpos(s.search_key, ${SubscriptionList.fold(search)}) > 0`

  const isIn = ({ from, to }: { readonly from: string; readonly to: string }) =>
    sql`s.id BETWEEN ${from}::uuid AND ${to}::uuid`

  /** Of a row that was read. */
  const found = (search: string) => {
    const range = SubscriptionList.idRange(search)
    return range === null ? holding(search) : sql`(${holding(search)} OR ${isIn(range)})`
  }

  /** Not suspended and not expired. */
  const isLiving = (now: Statement.Fragment) => sql`NOT s.is_suspended AND coalesce(s.expires_at, 'infinity') > ${now}`

  /** Asked row by row, never joined: reading stops at the row that fills the page. */
  const has = (query: Statement.Fragment) => sql`coalesce((SELECT true FROM ${query} LIMIT 1), false)`
  /** Few owners are exhausted at once, so that they are read once and kept. */
  const isExhausted = (now: Statement.Fragment, filter: SubscriptionList.Filter) => {
    const byOwner =
      typeof filter.ownerId === "string"
        ? has(sql`bucket b WHERE ${exhausted(now, "owner", ownerOf(filter))}`)
        : sql`coalesce(s.owner_id IN (SELECT b.id FROM bucket b WHERE b.kind = 'owner' AND b.exhausted_until > ${now}), false)`
    return sql`(${byOwner} OR ${has(sql`bucket b WHERE ${exhausted(now, "subscription", sql`s.id`)}`)})`
  }

  const inState = (
    { is, at: instant }: NonNullable<SubscriptionList.Filter["state"]>,
    filter: SubscriptionList.Filter
  ): Statement.Fragment => {
    const now = at(sql, instant)
    switch (is) {
      case "suspended":
        return sql`s.is_suspended`
      case "expired":
        return sql`NOT s.is_suspended AND coalesce(s.expires_at, 'infinity') <= ${now}`
      case "over_limit":
        return sql`${isLiving(now)} AND ${isExhausted(now, filter)}`
      case "active":
        return sql`${isLiving(now)} AND NOT ${isExhausted(now, filter)}`
    }
  }

  const links = (inboundIds: ReadonlyArray<string>) => sql`subscription_inbound l
    WHERE l.subscription_id = s.id AND l.inbound_id = ANY(${inboundIds}::uuid[]) AND l.unlinked_at IS NULL`

  /** Those that are listed at all, of the owner asked for: every index of an order has them alone. */
  const listed = ({ ownerId }: SubscriptionList.Filter) => [
    sql`s.deleted_at IS NULL`,
    ...(ownerId === undefined ? [] : ownerId === null ? [sql`s.owner_id IS NULL`] : [sql`s.owner_id = ${ownerId}`])
  ]

  /** What else the filter asks, of a row that was read in order. */
  const passes = (filter: SubscriptionList.Filter, linkedTo: ReadonlyArray<ReadonlyArray<string>>) => [
    ...beforeEnd(filter),
    ...(filter.search === undefined ? [] : [found(filter.search)]),
    ...linkedTo.map((inboundIds) => has(links(inboundIds))),
    ...(filter.state === undefined ? [] : [inState(filter.state, filter)])
  ]

  const beforeEnd = ({ expiresBefore }: SubscriptionList.Filter) =>
    expiresBefore === undefined ? [] : [sql`coalesce(s.expires_at, 'infinity') < ${at(sql, expiresBefore)}`]

  const beyond = (
    { by, isDescending }: ReturnType<typeof SubscriptionList.direction>,
    { key: value, id }: SubscriptionList.Position
  ) => {
    const than = sql.literal(isDescending ? "<" : ">")
    return by === "id"
      ? sql`s.id ${than} ${id}::uuid`
      : sql`(${sql.literal(keys[by])}, s.id) ${than} (${key(by, value)}, ${id}::uuid)`
  }

  const nowLinked = (inboundIds: ReadonlyArray<string>) => sql`SELECT DISTINCT l.subscription_id AS id
    FROM subscription_inbound l WHERE l.inbound_id = ANY(${inboundIds}::uuid[]) AND l.unlinked_at IS NULL`

  /** Looks each of some ids up by its key: joined, the planner would rather read all rows than many. */
  const each = (ids: Statement.Fragment, rest: ReadonlyArray<Statement.Fragment>, key: Statement.Fragment) =>
    sql`SELECT f.id, f.key FROM (${ids}) i CROSS JOIN LATERAL (
      SELECT s.id, ${key} AS key FROM subscription s WHERE s.id = i.id AND ${sql.and(rest)} OFFSET 0) f`

  /**
   * What is over limit, by the exhausted buckets: by those of its own, which are in the order of ids; and by its owner's,
   * whose subscriptions are in every order.
   */
  const overLimit = (
    filter: SubscriptionList.Filter,
    page: SubscriptionList.Page,
    rest: ReadonlyArray<Statement.Fragment>,
    key: Statement.Fragment
  ) => {
    const now = at(sql, filter.state!.at)
    const living = [isLiving(now), ...rest]
    const limit = sql`LIMIT ${BigInt(page.limit)}::bigint`
    const { by, isDescending } = SubscriptionList.direction(page.sort ?? "id")
    const beyond =
      page.after === null ? sql`` : sql`AND b.id ${sql.literal(isDescending ? "<" : ">")} ${page.after.id}::uuid`
    const inOrder = sql.literal(`ORDER BY b.id${isDescending ? " DESC" : ""}`)
    const own = sql`SELECT b.id FROM bucket b WHERE b.kind = 'subscription' AND b.exhausted_until > ${now}`
    const ofOwner = typeof filter.ownerId === "string" ? sql`AND b.id = ${filter.ownerId}::uuid` : sql``
    return [
      by === "id"
        ? sql`${each(sql`${own} ${beyond} ${inOrder}`, living, key)} ${sql.literal(`ORDER BY i.id${isDescending ? " DESC" : ""}`)} ${limit}`
        : each(own, living, key),
      sql`SELECT f.id, f.key FROM bucket b CROSS JOIN LATERAL (
          SELECT s.id, ${key} AS key FROM subscription s WHERE s.owner_id = b.id AND ${sql.and(living)}
          ORDER BY ${sql.literal(order(page))} ${limit}) f
        WHERE b.kind = 'owner' AND b.exhausted_until > ${now} ${ofOwner}`
    ]
  }

  /** What some inbounds serve, in the order of ids, which is that of their index. */
  const served = (inboundIds: ReadonlyArray<string>, page: SubscriptionList.Page, isDescending: boolean) => {
    const than = sql.literal(isDescending ? "<" : ">")
    const inOrder = sql.literal(`ORDER BY l.subscription_id${isDescending ? " DESC" : ""}`)
    const rest = page.after === null ? sql`` : sql`AND l.subscription_id ${than} ${page.after.id}::uuid`
    return sql`SELECT DISTINCT l.id, l.id AS key FROM unnest(${inboundIds}::uuid[]) AS i (id) CROSS JOIN LATERAL (
      SELECT l.subscription_id AS id FROM subscription_inbound l
      WHERE l.inbound_id = i.id AND l.unlinked_at IS NULL ${rest} ${inOrder} LIMIT ${BigInt(page.limit)}::bigint) l`
  }

  /** True when an index has what the filter keeps, or much of it, in the page's order. */
  const isInOrder = (
    { expiresBefore, inboundId, nodeId, search, state }: SubscriptionList.Filter,
    by: SubscriptionList.SortKey
  ) =>
    inboundId === undefined &&
    nodeId === undefined &&
    search === undefined &&
    (expiresBefore === undefined || by === "expires_at") &&
    (state === undefined ||
      state.is === "active" ||
      (state.is === "suspended" && by === "id") ||
      (state.is === "expired" && by === "expires_at"))

  /** Each statement selects `id` and `key`, in the page's order. */
  return (filter: SubscriptionList.Filter, page: SubscriptionList.Page, known: Known): Statements => {
    const { inboundId, nodeId, search, state } = filter
    const direction = SubscriptionList.direction(page.sort ?? "id")
    const key = sql.literal(keys[direction.by])
    const ordered = sql.literal(`ORDER BY ${order(page)}`)
    const limit = sql`LIMIT ${BigInt(page.limit)}::bigint`
    const inOrder = [...listed(filter), ...(page.after === null ? [] : [beyond(direction, page.after)])]
    const linkedTo = [
      ...(inboundId === undefined ? [] : [[inboundId]]),
      ...(nodeId === undefined ? [] : [known.inboundIds])
    ]
    const asked = passes(filter, linkedTo)
    if (isInOrder(filter, direction.by)) {
      const conditions = sql.and([...inOrder, ...asked])
      return {
        near: sql`SELECT s.id, ${key} AS key FROM subscription s WHERE ${conditions} ${ordered} ${limit}`,
        far: null
      }
    }

    const isServed = Object.keys(filter).length === 1 && linkedTo.length === 1 && direction.by === "id"
    if (isServed)
      return { near: sql`${served(linkedTo[0]!, page, direction.isDescending)} ${ordered} ${limit}`, far: null }

    const rarest = search === undefined ? null : Grams.rarest(SubscriptionList.fold(search), known.frequencies)
    const rest = [
      ...inOrder,
      ...beforeEnd(filter),
      ...(state === undefined || (state.is === "over_limit" && search === undefined) ? [] : [inState(state, filter)])
    ]
    const linked = linkedTo.map((inboundIds) => has(links(inboundIds)))
    const select = (conditions: ReadonlyArray<Statement.Fragment>) =>
      sql`SELECT s.id, ${key} AS key FROM subscription s WHERE ${sql.and(conditions)}`
    const range = search === undefined ? null : SubscriptionList.idRange(search)
    const every = [...rest, ...linked]
    const all =
      rarest !== null
        ? [
            sql`${select([sql`search_grams(s.search_key) @> ${rarest.grams}::text[]`, holding(search!), ...every])} OFFSET 0`,
            ...(range === null ? [] : [sql`${select([isIn(range), ...every])} ${ordered} ${limit}`])
          ]
        : state?.is === "over_limit"
          ? overLimit(filter, page, every, key)
          : linkedTo.length > 0
            ? [each(nowLinked(linkedTo[0]!), [...rest, ...linked.slice(1)], key)]
            : [sql`${select(rest)} OFFSET 0`]
    const union = sql.join(" UNION ", false)(all.map((one) => sql`(${one})`))
    const far = sql`SELECT id, key FROM (${union}) found ${ordered} ${limit}`
    const isByBucket = state?.is === "over_limit" && direction.by === "id" && linkedTo.length === 0
    if (isByBucket ? search === undefined : (rarest?.share ?? 1) < rare) return { near: far, far: null }

    const rows = BigInt(linkedTo.length > 0 || state?.is === "over_limit" ? reach.asking : reach.alone)
    const near = sql`SELECT s.id, s.key FROM (
        SELECT s.id, ${key} AS key, s.owner_id, s.is_suspended, s.expires_at, s.search_key FROM subscription s
        WHERE ${sql.and(inOrder)} ${ordered} LIMIT ${rows}::bigint) s
      WHERE ${sql.and(asked)} ${ordered} ${limit}`
    return { near, far }
  }
}
