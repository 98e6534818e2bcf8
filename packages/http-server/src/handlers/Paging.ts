/** Turns the query of a list into a page of the core, and what came of it into an answer. */
import { createHash } from "node:crypto"
import { Page, Problem } from "@vpnmgr/api"
import { type AuditLog, SubscriptionList } from "@vpnmgr/core"
import { Effect } from "effect"

interface Query {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** Asks for one item more than fits, which says whether there is another page. */
export const paged = <A extends { readonly id: string }, E, R>(
  { limit = Page.size.default, cursor }: Query,
  list: (page: AuditLog.Page) => Effect.Effect<ReadonlyArray<A>, E, R>
) =>
  Effect.map(list({ after: cursor ?? null, limit: limit + 1 }), (found) => {
    const items = found.slice(0, limit)
    return { items, nextCursor: found.length > limit ? items.at(-1)!.id : null }
  })

/** The name of a list in its cursors: what was asked, whatever the page. */
const listOf = (asked: Readonly<Record<string, unknown>>): string => {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined)
  const text = JSON.stringify(given.sort(([a], [b]) => (a < b ? -1 : 1)))
  return createHash("sha256").update(text).digest("base64url").slice(0, 12)
}

const elsewhere = "Expected the next_cursor of the same list: the same filters, the same sort"
const strayed = new Problem.Malformed({
  detail: `cursor: ${elsewhere}`,
  errors: [{ field: "cursor", detail: elsewhere }]
})

/** The same for a list with an order of its own; `asked` is what else the cursor must have been given for. */
export const positioned = <A, E, R>(
  { limit = Page.size.default, cursor }: Query,
  asked: Readonly<Record<string, unknown>>,
  { sort, of }: { readonly sort: SubscriptionList.Sort; readonly of: (item: A) => SubscriptionList.Position },
  list: (page: SubscriptionList.Page) => Effect.Effect<ReadonlyArray<A>, E, R>
) => {
  const name = listOf({ ...asked, sort })
  const after = cursor === undefined ? null : Page.positionAt(cursor)
  if (after !== null && (after.list !== name || !SubscriptionList.fits(sort, after))) return Effect.fail(strayed)
  return Effect.map(list({ sort, after, limit: limit + 1 }), (found) => {
    const items = found.slice(0, limit)
    return { items, nextCursor: found.length > limit ? Page.cursorOf({ ...of(items.at(-1)!), list: name }) : null }
  })
}

/** A value without the keys that are undefined: what a patch leaves as it is. */
export const present = <A extends object>(patch: A) =>
  Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof A]?: Exclude<A[K], undefined>
  }
