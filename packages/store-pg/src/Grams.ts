/**
 * What the search index is asked: the grams of a text that fewest rows have. An index looks every gram up in the rows of
 * the rarest, so a gram that all have costs and tells nothing; how many have one, PostgreSQL knows since it analyzed.
 */
import { Duration, Effect } from "effect"
import type { SqlClient } from "effect/sql"

/** The share of all rows that have a gram; those that are not here are rarer than all that are. Empty: nothing is known. */
export type Frequencies = ReadonlyMap<string, number>

/** Of grams that nothing is known of, so many are asked for. */
const mostUnknown = 16

/** Of grams whose frequency is known: what three of them leave is sooner looked at than intersected with a fourth. */
const mostKnown = 3

/** All distinct longest grams of a folded text, as `search_grams` makes them. */
const all = (folded: string): ReadonlyArray<string> => {
  const letters = [...folded]
  const length = Math.min(3, letters.length)
  return [...new Set(letters.slice(length - 1).map((_, n) => letters.slice(n, n + length).join("")))]
}

/** The grams of a folded text, spread over it. */
export const spread = (folded: string): ReadonlyArray<string> => {
  const distinct = all(folded)
  const step = Math.ceil(distinct.length / mostUnknown)
  return distinct.filter((_, n) => n % step === 0)
}

/** The rarest grams of a folded text, and the share of rows that have the rarest: 1 when nothing is known of it. */
export const rarest = (
  folded: string,
  frequencies: Frequencies
): { readonly grams: ReadonlyArray<string>; readonly share: number } => {
  if (frequencies.size === 0) return { grams: spread(folded), share: 1 }
  const share = (gram: string) => frequencies.get(gram) ?? 0
  const grams = all(folded)
    .toSorted((a, b) => share(a) - share(b))
    .slice(0, mostKnown)
  return { grams, share: share(grams[0]!) }
}

/** What was read of the statistics is kept for this long: they change when autovacuum analyzes. */
const kept = Duration.minutes(5)

/**
 * Reads how often grams are in the index of subscriptions, from what PostgreSQL has gathered: a thousand of the commonest,
 * 3 ms, so not with each search. Nothing when it has gathered nothing or does not show it.
 */
export const make = (sql: SqlClient.SqlClient): Effect.Effect<Effect.Effect<Frequencies>> =>
  sql<{ readonly gram: string; readonly share: number }>`
    SELECT e.gram, e.share FROM pg_stats t,
      unnest(t.most_common_elems::text::text[], t.most_common_elem_freqs) AS e (gram, share)
    WHERE t.schemaname = current_schema() AND t.tablename = 'subscription_search_idx' AND e.gram IS NOT NULL`.pipe(
    Effect.map((rows): Frequencies => new Map(rows.map(({ gram, share }) => [gram, share]))),
    Effect.orElseSucceed((): Frequencies => new Map()),
    Effect.cachedWithTTL(kept)
  )
