/** A command that could not do what it was asked: said in words on stderr, as JSON with `--json`. */
import { Schema } from "effect"

/** Why, in words, and for programs what the API answered where it did. */
export class Failed extends Schema.TaggedError<Failed>()("Failed", {
  message: Schema.String,
  /** The API's problem document. */
  problem: Schema.optionalKey(Schema.Json),
  /** The status of the API's problem, or the one that says the same; absent for all that has none. */
  status: Schema.optionalKey(Schema.Number)
}) {}

/** Fails with words. */
export const failed = (message: string): Failed => new Failed({ message })

/** Fails because there is no such thing. */
export const missing = (message: string): Failed => new Failed({ message, status: 404 })
