/**
 * How subscriptions are listed: which ones a filter keeps, what a search finds, in which order, and where a page goes on.
 *
 * Text is compared folded and by code point, so that every store orders and finds alike, whatever its locale.
 */
import { Schema } from "effect"
import type { Instant } from "./Instant.ts"
import * as Instants from "./Instant.ts"
import type { Subscription } from "./Subscription.ts"
import type { Facts, State } from "./Verdict.ts"
import * as Verdict from "./Verdict.ts"

/**
 * What a list is ordered by, then by id; `-` is descending. One without a title is before every title, a perpetual one
 * after every expiry.
 */
export const Sort = Schema.Literals([
  "id",
  "-id",
  "title",
  "-title",
  "created_at",
  "-created_at",
  "expires_at",
  "-expires_at"
])
export type Sort = typeof Sort.Type

export type SortKey = "id" | "title" | "created_at" | "expires_at"

/** The key a sort orders by, and which way. */
export const direction = (sort: Sort): { readonly by: SortKey; readonly isDescending: boolean } => ({
  by: sort.replace("-", "") as SortKey,
  isDescending: sort.startsWith("-")
})

/** What a list keeps: all that hold together. */
export interface Filter {
  /** Null: those without an owner. */
  readonly ownerId?: string | null
  /** Linked to this inbound now. */
  readonly inboundId?: string
  /** Linked to an inbound of this node now. */
  readonly nodeId?: string
  /** Expires before then; a perpetual one does not. */
  readonly expiresBefore?: Instant
  /** In the state at that instant. */
  readonly state?: { readonly is: State; readonly at: Instant }
  /** Part of the title or of the description, or the beginning of the id; upper and lower case are the same. */
  readonly search?: string
}

/** Where a page ended: the sort value of its last item, folded, and its id. Null is "never", and unused by `id`. */
export interface Position {
  readonly key: string | number | null
  readonly id: string
}

/** A page request; `sort` is by id when absent. */
export interface Page {
  readonly sort?: Sort
  readonly after: Position | null
  readonly limit: number
}

/**
 * Folds case: equal for what differs in case alone. Each character folds by itself, so a part of a text folds to a part
 * of the folded text.
 */
export const fold = (text: string): string => text.toUpperCase().toLowerCase().replaceAll("ς", "σ")

type Titled = Pick<Subscription, "title" | "description">

/** What `title` is ordered by. */
export const titleKey = ({ title }: Pick<Titled, "title">): string => fold(title ?? "")

/** Between a title and a description where they are searched as one text; nobody can search for it. */
const separator = "\u001f"

/** Title and description as they are searched. */
export const searchKey = ({ title, description }: Titled): string =>
  fold(`${title ?? ""}${separator}${description ?? ""}`)

/** What can be searched for: 1 to 200 characters, none of them a control character. */
export const Search = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter(
      (text: string) =>
        (text.length >= 1 && text.length <= 200 && text.isWellFormed() && !/\p{Cc}/u.test(text)) ||
        "Expected 1 to 200 characters without control characters"
    )
  )
)

const noId = "00000000-0000-0000-0000-000000000000"
const lastId = "ffffffff-ffff-ffff-ffff-ffffffffffff"

/** The ids that begin like this, from and to; null when none can. */
export const idRange = (search: string): { readonly from: string; readonly to: string } | null => {
  const start = search.toLowerCase()
  const from = start + noId.slice(start.length)
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(from)
    ? { from, to: start + lastId.slice(start.length) }
    : null
}

/** True when a search finds a subscription. */
export const finds = (search: string, subscription: Titled & Pick<Subscription, "id">): boolean =>
  searchKey(subscription).includes(fold(search)) || subscription.id.startsWith(search.toLowerCase())

/** True when a subscription is in a state, by the clock. */
export const isIn = ({ is, at }: NonNullable<Filter["state"]>, facts: Facts): boolean =>
  Verdict.at(facts, at).state === is

/** Where a subscription is in a list. */
export const position = (
  sort: Sort,
  subscription: Pick<Subscription, "id" | "title" | "createdAt" | "expiresAt">
): Position => {
  const { id } = subscription
  switch (direction(sort).by) {
    case "id":
      return { key: null, id }
    case "title":
      return { key: titleKey(subscription), id }
    case "created_at":
      return { key: subscription.createdAt, id }
    case "expires_at":
      return { key: subscription.expiresAt, id }
  }
}

const isInstant = (key: Position["key"]) => typeof key === "number" && Math.abs(key) <= Instants.latest

/** True when a position, from wherever it comes, is one of a list with this order. */
export const fits = (sort: Sort, { key }: Position): boolean => {
  switch (direction(sort).by) {
    case "id":
      return key === null
    case "title":
      return typeof key === "string" && key.isWellFormed() && !key.includes("\u0000")
    case "created_at":
      return isInstant(key)
    case "expires_at":
      return key === null || isInstant(key)
  }
}

/** Code units in the order of the code points they belong to, which is that of UTF-8. */
const rank = (unit: number) => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)

const compareText = (a: string, b: string): number => {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const compareKeys = (a: Position["key"], b: Position["key"]): number => {
  if (typeof a === "string" && typeof b === "string") return compareText(a, b)
  const [x, y] = [a ?? Instants.never, b ?? Instants.never]
  return x < y ? -1 : x > y ? 1 : 0
}

/** Orders positions as a sort does. */
export const compare =
  (sort: Sort) =>
  (a: Position, b: Position): number => {
    const ascending = compareKeys(a.key, b.key) || compareText(a.id, b.id)
    return direction(sort).isDescending ? -ascending : ascending
  }
