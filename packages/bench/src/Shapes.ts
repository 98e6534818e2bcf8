/**
 * What lists are asked for: every order and every filter that matters, by a superuser and by an operator, each with the
 * plain SQL that gives the same page. Subscriptions are those of the seed, a few of them changed (`marks`); what a page
 * must hold is known from that.
 */
import { SubscriptionList } from "@vpnmgr/core"
import { idOf, titleOf } from "./Seed.ts"

/** Ten in a row have ten owners. */
const ten = (n: number) => Math.floor(n / 10)

/** Of the seeded subscriptions, number `n` is: */
export const marks = {
  suspended: (n: number) => ten(n) % 100 === 3,
  expired: (n: number) => ten(n) % 100 === 4,
  exhausted: (n: number) => ten(n) % 100 === 6,
  /** Linked to an inbound that few have. */
  linked: (n: number) => ten(n) % 1000 === 8
} as const

/** How long before it was made one that expired has ended, milliseconds: each at a time of its own. */
export const expiredBefore = 86_400_000

/** The SQL of the marks, and what takes them back. Number `n` has the credential `base + n`. */
export const marking = (base: number, inbound: string, deadline: string) => {
  const ten = `((s.credential - ${base}) / 10)`
  const seeded = `s.id BETWEEN '${idOf(1)}' AND '${idOf(2 ** 40)}'`
  return {
    on: [
      `UPDATE subscription s SET is_suspended = true WHERE ${seeded} AND ${ten} % 100 = 3`,
      `UPDATE subscription s SET expires_at = created_at - interval '1 day' WHERE ${seeded} AND ${ten} % 100 = 4`,
      `UPDATE bucket b SET exhausted_until = 'infinity' FROM subscription s
        WHERE b.id = s.id AND b.kind = 'subscription' AND ${seeded} AND ${ten} % 100 = 6`,
      `INSERT INTO subscription_inbound (subscription_id, inbound_id, linked_at)
        SELECT s.id, '${inbound}', now() FROM subscription s WHERE ${seeded} AND ${ten} % 1000 = 8`
    ],
    off: [
      `UPDATE subscription s SET is_suspended = false WHERE ${seeded} AND is_suspended`,
      `UPDATE subscription s SET expires_at = '${deadline}' WHERE ${seeded} AND ${ten} % 100 = 4`,
      `UPDATE bucket b SET exhausted_until = NULL WHERE b.exhausted_until IS NOT NULL
        AND b.id BETWEEN '${idOf(1)}' AND '${idOf(2 ** 40)}'`,
      `DELETE FROM subscription_inbound WHERE inbound_id = '${inbound}'`
    ]
  }
}

export type Sort = SubscriptionList.Sort

export interface Shape {
  readonly group: "order" | "filter" | "search"
  readonly name: string
  readonly sort: Sort
  /** The query beside `sort` and `limit`. */
  readonly query: Readonly<Record<string, string>>
  /** True for the number of a subscription that the list holds. */
  readonly holds: (n: number) => boolean
  /** The condition of plain SQL on `subscription s`. */
  readonly where: string
}

export interface Facts {
  readonly count: number
  /** An inbound that all have, one that few have, and the node of some that all have. */
  readonly inbounds: { readonly all: string; readonly few: string }
  readonly node: string
}

const linkedTo = (inbound: string) =>
  `EXISTS (SELECT FROM subscription_inbound l WHERE l.subscription_id = s.id AND l.inbound_id = '${inbound}')`

const everyone = () => true

/** Every shape; titles that are searched for are of subscriptions in the middle. */
export const shapes = ({ count, inbounds, node }: Facts): ReadonlyArray<Shape> => {
  const middle = Math.ceil(count / 2)
  const title = titleOf(middle).toLowerCase()
  const search = (name: string, text: string): Shape => ({
    group: "search",
    name,
    sort: "id",
    query: { search: text },
    holds: (n) => titleOf(n).toLowerCase().includes(text) || idOf(n).startsWith(text),
    where: `(strpos(s.search_key, '${text}') > 0 OR s.id::text LIKE '${text}%')`
  })
  const filter = (name: string, query: Shape["query"], where: string, holds: Shape["holds"]): ReadonlyArray<Shape> =>
    (["id", "-created_at", "title"] as const).map((sort) => ({ group: "filter", name, sort, query, where, holds }))
  const running = `NOT s.is_suspended AND s.expires_at > now()`
  const own = `EXISTS (SELECT FROM bucket b WHERE b.id = s.id AND b.kind = 'subscription' AND b.exhausted_until > now())`
  return [
    ...SubscriptionList.Sort.literals.map((sort): Shape => ({
      group: "order",
      name: "all",
      sort,
      query: {},
      where: "true",
      holds: everyone
    })),
    ...filter("suspended", { state: "suspended" }, "s.is_suspended", marks.suspended),
    ...filter("expired", { state: "expired" }, `NOT s.is_suspended AND s.expires_at <= now()`, marks.expired),
    ...filter("over limit", { state: "over_limit" }, `${running} AND ${own}`, marks.exhausted),
    ...filter("active", { state: "active" }, `${running} AND NOT ${own}`, (n) =>
      [marks.suspended, marks.expired, marks.exhausted].every((is) => !is(n))
    ),
    ...filter("on an inbound of all", { inbound_id: inbounds.all }, linkedTo(inbounds.all), everyone),
    ...filter("on an inbound of few", { inbound_id: inbounds.few }, linkedTo(inbounds.few), marks.linked),
    ...filter("on a node of all", { node_id: node }, linkedTo(inbounds.all), everyone),
    search("what all have", "subscriber"),
    search("a letter", "7"),
    search("the beginning of 100 titles", title.slice(0, -2)),
    search("one title", title),
    search("the middle of a title", title.slice(-5, -1)),
    search("the beginning of ids", idOf(middle).slice(0, -2)),
    search("what none has", "qqq")
  ]
}

/** The numbers a page must hold, in order: those after `after` (exclusive), or from the beginning. */
export const expected = (
  { holds, sort }: Pick<Shape, "holds" | "sort">,
  count: number,
  after: number | null,
  limit: number,
  isOwn: boolean
): ReadonlyArray<number> => {
  const keeps = (n: number) => holds(n) && (!isOwn || n % 10 === 0)
  const step = sort.startsWith("-") ? -1 : 1
  const found: Array<number> = []
  const walk = (from: number, isIn: (n: number) => boolean) => {
    for (let n = from; n >= 1 && n <= count && found.length < limit; n += step) if (keeps(n) && isIn(n)) found.push(n)
  }
  const start = step === 1 ? 1 : count
  if (!sort.endsWith("expires_at")) walk(after === null ? start : after + step, everyone)
  else {
    // Those that expired come first, as they were made; all others end at one time, and are in the order of ids.
    const parts = [marks.expired, (n: number) => !marks.expired(n)]
    const order = step === 1 ? parts : parts.toReversed()
    const at = after === null ? -1 : order.findIndex((isIn) => isIn(after))
    for (const [index, isIn] of order.entries()) {
      if (index > at) walk(start, isIn)
      else if (index === at) walk(after! + step, isIn)
    }
  }
  return found
}
