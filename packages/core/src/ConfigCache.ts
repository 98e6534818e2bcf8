/**
 * Answers of `/s/{link}`, kept for less than a second: what a link that is asked for again and again costs then is not a
 * query (decision 17 has the measurement). Nothing is kept of links that lead nowhere, and none of a link that was not
 * asked for just before: most links come once in hours, and what is kept of them only makes old garbage (decision 37).
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

/** Characters of all bodies together: enough for what is asked for again and again, and no burden to the rest. */
const room = 8 * 1024 * 1024

/** Changes remembered apart; when there are more, all that is kept is taken for changed. Links asked for just before. */
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
  /** Keeps an answer, unless it is the first one of its link within the lifetime of an answer. */
  readonly keep: (link: string, kept: Kept<A>) => void
  /** Hears what changed. */
  readonly hear: (what: Changed) => void
  /** Forgets everything. */
  readonly clear: () => void
}

/** Makes an empty cache. */
export const make = <A>(): ConfigCache<A> => {
  const longest = broken("config-cache") ? 10_000 : lifetime
  const heard = new Map<string, number>()
  let [young, old] = [new Map<string, Kept<A>>(), new Map<string, Kept<A>>()]
  let [asked, askedBefore] = [new Set<string>(), new Set<string>()]
  let [bornAt, askedSince, size, number, everything] = [0, 0, 0, 0, 0]

  /**
   * Answers go with their generation, not one by one: a Map from whose front is deleted is walked over all that was
   * deleted there before, which took a fifth of the server's time.
   */
  const turn = (now: Instant) => {
    ;[young, old] = [new Map(), young]
    size = 0
    bornAt = now
  }
  const isAskedAgain = (link: string, now: Instant): boolean => {
    if (asked.size >= remembered || now < askedSince || now >= askedSince + longest) {
      const isLongAgo = now < askedSince || now >= askedSince + 2 * longest
      ;[asked, askedBefore] = [new Set(), isLongAgo ? new Set() : asked]
      askedSince = now
    }
    const again = asked.has(link) || askedBefore.has(link)
    asked.add(link)
    return again
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
      const found = young.get(link) ?? old.get(link)
      return found !== undefined && lives(found, now) && !isOvertaken(found) ? found.answer : undefined
    },
    keep: (link, entry) => {
      if (!isAskedAgain(link, entry.from)) return
      if (size + entry.size > room / 2 || entry.from < bornAt || entry.from >= bornAt + longest) turn(entry.from)
      young.set(link, entry)
      size += entry.size
    },
    hear: broken("config-cache") ? () => undefined : hear,
    clear: () => {
      turn(bornAt)
      old = young
    }
  }
}
