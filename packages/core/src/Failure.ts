/** What may go wrong for whoever asks, beside the store itself. Names say what happened; HTTP statuses are not here. */
import { Schema } from "effect"

/** There is no such thing, or none that the actor may know of. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  noun: Schema.String,
  id: Schema.String
}) {}

/** The actor's role does not allow it. */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", { detail: Schema.String }) {}

/** Well-formed, but not possible. `field` is the wire name. */
export class Invalid extends Schema.TaggedError<Invalid>()("Invalid", {
  field: Schema.String,
  detail: Schema.String
}) {}

/** The thing was changed since the caller read it. `version` is the one that stands. */
export class Stale extends Schema.TaggedError<Stale>()("Stale", { version: Schema.String }) {}
