/** A command that could not do what it was asked: said in words on stderr, as JSON with `--json`; exit code 1. */
import { Schema } from "effect"

/** Why, in words, and for programs what the API answered where it did. */
export class Failed extends Schema.TaggedError<Failed>()("Failed", {
  message: Schema.String,
  /** The API's problem document. */
  problem: Schema.optionalKey(Schema.Json)
}) {}

/** Fails with words. */
export const failed = (message: string): Failed => new Failed({ message })
