/** Who is signed in: one's own sessions, and everybody's for superusers (`/api/v1/sessions`). */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Id, Instant, Wire } from "@vpnmgr/core"
import { SignedIn } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"

/** A session that is good now. Where it was opened from is not kept. */
export const SessionView = Wire.struct({
  id: Id.Uuid,
  userId: Id.Uuid,
  createdAt: Instant.Instant,
  expiresAt: Instant.Instant,
  /** True for the one this was asked in. */
  isCurrent: Schema.Boolean
})
export type SessionView = typeof SessionView.Type

/** How many sessions ended. */
export const Ended = Wire.struct({ endedSessions: Wire.Int4 })

export class Sessions extends HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...Page.query, user_id: Schema.optional(Id.Uuid.annotate({ description: "whose sessions" })) },
      success: Page.of(SessionView),
      error: Problem.reading
    }).annotateMerge(
      describe(
        "List sessions",
        "Those that are good now, by id, ascending: everybody's for a superuser, else one's own."
      )
    ),
    HttpApiEndpoint.delete("revoke", "/:id", { params: { id: Id.Uuid }, error: Problem.reading }).annotateMerge(
      describe("Revoke a session", "Its token is refused from then on. Of another's, an operator is answered 404.")
    ),
    HttpApiEndpoint.post("revokeAll", "/revoke", {
      payload: Wire.struct({ userId: Id.Uuid }),
      success: Ended,
      error: Problem.reading
    }).annotateMerge(
      describe("Revoke all sessions of a user", "The one this is asked in among them, when they are one's own.")
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1/sessions")
  .annotateMerge(
    describe("Sessions", "Spans in which somebody is signed in; an hour each, renewed to at most 7 days.")
  ) {}
