/**
 * Exports: a whole list as one stream, one row per line. They take as long as they take; an export that cannot be
 * finished ends without the end of its body, so that nobody takes it for complete.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiSchema } from "effect/http-api"
import { describe } from "./Operation.ts"
import * as Problem from "./Problem.ts"

/** NDJSON: the list's items, one per line. CSV: RFC 4180 with a header row. */
export const Format = Schema.Literals(["ndjson", "csv"])
export type Format = typeof Format.Type

/** The media type of each format. */
export const mediaTypes = { ndjson: "application/x-ndjson", csv: "text/csv; charset=utf-8" } as const

const success = HttpApiSchema.StreamUint8Array({ contentType: ["application/x-ndjson", "text/csv"] })

const description = [
  "The rows of the list with the same filters and the same permissions, as a stream. csv is RFC 4180 in UTF-8 with a",
  "header row: null is an empty cell, lists and objects are JSON. A text that begins with = + - @, a tab, a line break or",
  "an apostrophe gets an apostrophe in front, so that no spreadsheet takes it for a formula; take one away to read it back.",
  "An export that cannot be finished is cut off: the connection is aborted. At most a few run at once (429)."
].join(" ")

/** `GET /export` of a list with these filters. */
export const endpoint = <const Query extends Schema.Struct.Fields>(noun: string, query: Query) =>
  HttpApiEndpoint.get("export", "/export", {
    query: {
      format: Schema.optional(Format).annotate({ description: "ndjson (default) or csv" }),
      ...query
    },
    success,
    error: Problem.reading
  }).annotateMerge(describe(`Export ${noun}`, description))
