/** Turns the query of a list into a page of the core, and what came of it into an answer. */
import { Page } from "@vpnmgr/api"
import type { AuditLog } from "@vpnmgr/core"
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

/** A value without the keys that are undefined: what a patch leaves as it is. */
export const present = <A extends object>(patch: A) =>
  Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof A]?: Exclude<A[K], undefined>
  }
