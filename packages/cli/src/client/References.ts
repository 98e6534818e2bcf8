/**
 * Things as people name them: a user by its name, a group by its name, anything by its id or by as much of the id's
 * beginning as nothing else shares. Names become ids before the API is asked.
 */
import { Id } from "@vpnmgr/core"
import { Effect } from "effect"
import { failed, missing } from "../Failed.ts"
import type { Failed } from "../Failed.ts"
import type { Connection } from "./Connection.ts"

type Client = Connection["client"]

/** What can be named. */
export type Noun = "user" | "group" | "subscription" | "node" | "inbound"

/** What somebody typed for a thing. */
export class Reference {
  readonly noun: Noun
  readonly text: string
  constructor(noun: Noun, text: string) {
    this.noun = noun
    this.text = text
  }
}

/** The given values with ids in place of references. */
export type Resolved<A> = { readonly [K in keyof A]: ResolvedValue<A[K]> }
type ResolvedValue<T> = T extends Reference ? string : T extends ReadonlyArray<Reference> ? ReadonlyArray<string> : T

interface Item {
  readonly id: string
}
interface Page<A extends Item> {
  readonly items: ReadonlyArray<A>
  readonly nextCursor: string | null
}

interface Query {
  readonly limit: number
  readonly cursor?: string
}

type List = (query: Query) => Effect.Effect<Page<Item>, unknown>

/** Where the ids that begin so are listed: from behind the id before them, or by a search. */
const listOf = (client: Client, noun: Noun, beginning: string): List => {
  const start = before(beginning)
  const from = <Q extends Query>(query: Q) => (start === undefined ? query : { cursor: start, ...query })
  const lists: Readonly<Record<Noun, List>> = {
    user: (query) => client.users.list({ query: from(query) }),
    group: (query) => client.groups.list({ query: from(query) }),
    subscription: (query) => client.subscriptions.list({ query: { ...query, search: beginning } }),
    node: (query) => client.nodes.list({ query: from(query) }),
    inbound: (query) => client.inbounds.list({ query: from(query) })
  }
  return lists[noun]
}

/** The least that is taken for the beginning of an id. */
const shortest = 4
const tooShort = /^[0-9a-f]{1,3}$/i

const beginning = /^[0-9a-f]{4,8}$|^[0-9a-f]{8}-[0-9a-f-]{0,27}$/

/** The greatest id that lies before all that begin so; undefined when none does. */
const before = (prefix: string): string | undefined => {
  const time = BigInt(`0x${prefix.replaceAll("-", "").slice(0, 12).padEnd(12, "0")}`)
  if (time === 0n) return undefined
  const hex = (time - 1n).toString(16).padStart(12, "0")
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7fff-bfff-ffffffffffff`
}

/** What is longer is nobody's name, and no search. */
const longestName = 200

/** Shows page after page to `isEnough`, until it is or there are no more. */
const walk = <A extends Item>(
  list: (query: Query) => Effect.Effect<Page<A>, unknown>,
  isEnough: (items: ReadonlyArray<A>) => boolean,
  query: Query = { limit: 200 }
): Effect.Effect<void, unknown> =>
  Effect.flatMap(list(query), ({ items, nextCursor }) =>
    isEnough(items) || nextCursor === null ? Effect.void : walk(list, isEnough, { limit: 200, cursor: nextCursor })
  )

const byBeginning = Effect.fnUntraced(function* (client: Client, { noun, text }: Reference) {
  const found: Array<string> = []
  yield* walk(listOf(client, noun, text), (items) => {
    found.push(...items.flatMap(({ id }) => (id.startsWith(text) ? [id] : [])))
    const isBehind = noun !== "subscription" && (items.at(-1)?.id ?? text) > `${text}~`
    return isBehind || found.length > 1
  })
  if (found.length > 1)
    return yield* failed(`more than one ${noun} has an id that begins with ${text}: give more of it`)
  return found[0] ?? null
})

/** The id of the one with that name; names of groups are not unique, and two are too many. */
const named = <A extends Item>(
  list: (query: Query) => Effect.Effect<Page<A>, unknown>,
  isIt: (item: A) => boolean,
  { noun, text }: Reference
): Effect.Effect<string | null, unknown> => {
  const found: Array<string> = []
  const look = walk(list, (items) => {
    found.push(...items.filter(isIt).map(({ id }) => id))
    return found.length > 1
  })
  return Effect.flatMap(look, () =>
    found.length > 1
      ? failed(`more than one ${noun} is called ${text}: say which by its id, see vpnmgr ${noun} list --search ${text}`)
      : Effect.succeed(found[0] ?? null)
  )
}

const byName = (client: Client, reference: Reference): Effect.Effect<string | null, unknown> => {
  const { noun, text } = reference
  if (text.length > longestName) return Effect.succeed(null)
  const name = text.toLowerCase()
  if (noun === "group")
    return named(
      (query) => client.groups.list({ query: { ...query, search: text } }),
      (group) => group.name === text,
      reference
    )
  if (noun === "user")
    return named(
      (query) => client.users.list({ query: { ...query, search: text } }),
      ({ username }) => username.toLowerCase() === name,
      reference
    )
  return Effect.succeed(null)
}

const kinds: Readonly<Record<Noun, string>> = {
  user: "name or id",
  group: "name or id",
  subscription: "id",
  node: "id",
  inbound: "id"
}

/** Finds the id of what is named. */
const find = Effect.fnUntraced(function* (client: Client, reference: Reference): Effect.fn.Return<string, unknown> {
  const { noun, text } = reference
  const lower = text.toLowerCase()
  if (Id.isUuid(lower)) return lower
  const id =
    (yield* byName(client, reference)) ??
    (beginning.test(lower) ? yield* byBeginning(client, new Reference(noun, lower)) : null)
  if (id !== null) return id
  const hint = tooShort.test(text) ? `; the beginning of an id has at least ${shortest} characters` : ""
  return yield* missing(`there is no ${noun} with the ${kinds[noun]} ${text}${hint}: see vpnmgr ${noun} list`)
})

const resolveValue = (client: Client, value: unknown): Effect.Effect<unknown, unknown> => {
  if (value instanceof Reference) return find(client, value)
  if (Array.isArray(value) && value.some((each) => each instanceof Reference))
    return Effect.forEach(value as ReadonlyArray<unknown>, (each) => resolveValue(client, each))
  return Effect.succeed(value)
}

/** Puts ids in place of all references among the given values. */
export const resolve = <A>(client: Client, given: A): Effect.Effect<Resolved<A>, unknown | Failed> =>
  Effect.map(
    Effect.forEach(Object.entries(given as object), ([key, value]) =>
      Effect.map(resolveValue(client, value), (found) => [key, found] as const)
    ),
    (entries) => Object.fromEntries(entries) as Resolved<A>
  )
