/**
 * Which version of a thing a change was decided on, so that nobody overwrites what he has not seen.
 *
 * A thing's version is made of its `updatedAt`, which every change makes greater. It names what people set, not what
 * follows from traffic and the clock.
 */
import { Context, Effect } from "effect"
import { Stale } from "./Failure.ts"
import type { Instant } from "./Instant.ts"

/** The versions a caller accepts; `any` when it does not say. */
export type Expected = "any" | ReadonlyArray<string>

/** What the caller at hand expects. A host sets it from `If-Match`, for the one thing that the request names. */
export const Expected = Context.Reference<Expected>("@vpnmgr/core/Precondition", { defaultValue: () => "any" as const })

/** The version of a thing: a short opaque text of letters and digits. */
export const version = (updatedAt: Instant): string => updatedAt.toString(36)

/** Fails with `Stale` when the thing is another version than expected. To be asked after the lock, in the transaction. */
export const holds = (updatedAt: Instant): Effect.Effect<void, Stale> =>
  Effect.flatMap(Expected, (expected) =>
    expected === "any" || expected.includes(version(updatedAt))
      ? Effect.void
      : Effect.fail(new Stale({ version: version(updatedAt) }))
  )

/** The `updatedAt` of a thing that changes now: later than before, even within a millisecond or with a clock set back. */
export const next = (before: Instant, now: Instant): Instant => Math.max(now, before + 1)
