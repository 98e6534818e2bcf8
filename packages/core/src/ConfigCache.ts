/**
 * Answers of `/s/{link}`, kept for less than a second: what a link that is asked for again and again costs then is not a
 * query (decision 17 has the measurement). Nothing is kept of links that lead nowhere.
 *
 * An answer is as old as the moment its facts were asked for, not as the moment they came: a slow query makes nothing
 * stale for longer. It ends with its lifetime, at the next instant at which it changes by itself, and with any change
 * that is heard of after its facts were asked for.
 */
import type { Instant } from "./Instant.ts"
import type { Changed } from "./NodeStateStore.ts"
import { broken } from "./internal/testBuild.ts"

/** How long an answer lives, milliseconds: well below the second that is promised, on a slow machine too. */
const lifetime = 600

/** Characters of all bodies together; the oldest go first. */
const room = 32 * 1024 * 1024

/** Changes remembered apart; when there are more, all that is kept is taken for changed. */
const remembered = 10_000

/** What is known of an answer when it is kept. */
export interface Kept<A> {
  readonly answer: A
  /** Characters it takes. */
  readonly size: number
  readonly subscriptionId: string
  readonly ownerId: string | null
  /** When its facts were asked for. */
  readonly from: Instant
  /** The next instant at which it changes by itself. */
  readonly goodUntil: Instant
  /** `now` of the cache when its facts were asked for. */
  readonly asOf: number
}

export interface ConfigCache<A> {
  /** Counts what is heard; an answer is kept with the number that was current when its facts were asked for. */
  readonly now: () => number
  readonly find: (link: string, now: Instant) => A | undefined
  readonly keep: (link: string, kept: Kept<A>) => void
  /** Hears what changed. */
  readonly hear: (what: Changed) => void
  /** Forgets everything. */
  readonly clear: () => void
}

/** Makes an empty cache. */
export const make = <A>(): ConfigCache<A> => {
  const longest = broken("config-cache") ? 10_000 : lifetime
  const kept = new Map<string, Kept<A>>()
  const heard = new Map<string, number>()
  let [size, number, everything] = [0, 0, 0]

  const drop = (link: string) => {
    size -= kept.get(link)?.size ?? 0
    kept.delete(link)
  }
  const lives = ({ from, goodUntil }: Kept<A>, now: Instant) => now >= from && now < Math.min(from + longest, goodUntil)
  const isOvertaken = ({ asOf, ownerId, subscriptionId }: Kept<A>) =>
    Math.max(everything, heard.get(subscriptionId) ?? 0, heard.get(ownerId ?? "") ?? 0) > asOf

  const hear = (what: Changed) => {
    number++
    if (what.kind === "everything" || heard.size + what.ids.length > remembered) {
      everything = number
      heard.clear()
    } else for (const id of what.ids) heard.set(id, number)
  }

  return {
    now: () => number,
    find: (link, now) => {
      const found = kept.get(link)
      if (found === undefined) return undefined
      if (lives(found, now) && !isOvertaken(found)) return found.answer
      drop(link)
      return undefined
    },
    keep: (link, entry) => {
      drop(link)
      kept.set(link, entry)
      size += entry.size
      for (const [oldest, each] of kept) {
        if (size <= room && lives(each, entry.from)) break
        drop(oldest)
      }
    },
    hear: broken("config-cache") ? () => undefined : hear,
    clear: () => {
      kept.clear()
      size = 0
    }
  }
}
