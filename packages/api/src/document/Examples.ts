/** Gives every body in the OpenAPI document an example: of the request, of what is answered, of each problem. */
import * as Problem from "../Problem.ts"
import type { Operation } from "./Headers.ts"
import * as Samples from "./Samples.ts"

interface Media {
  readonly schema: Samples.JsonSchema
  example?: unknown
  examples?: Record<string, { readonly summary: string; readonly value: unknown }>
}

const row = { id: "01994a40-5a7e-7cc3-8a11-3a8b5f1d2c4e", created_at: "2026-01-31T00:00:00.000Z" }

/** Streams have one value a line; their columns are those of the list. */
const streams: Readonly<Record<string, string>> = {
  "application/x-ndjson": `${JSON.stringify(row)}\n`,
  "text/csv": `${Object.keys(row).join(",")}\r\n${Object.values(row).join(",")}\r\n`
}

const detail: Readonly<Record<string, string>> = {
  malformed: "limit: Expected a value between 1 and 200, got 0",
  invalid: "owner_id: There is no such user",
  already_exists: "username is taken",
  not_found: "There is no subscription with this id"
}

const blamed: Readonly<Record<string, Problem.FieldError>> = {
  malformed: { field: "limit", detail: "Expected a value between 1 and 200, got 0" },
  invalid: { field: "owner_id", detail: "There is no such user" },
  already_exists: { field: "username", detail: "is taken" }
}

/** One of each problem, by the name of its schema. */
const problems = new Map(
  Problem.all.map((known) => {
    const { code, status, title, type } = new known({ detail: "", retry_after: 1 })
    const waits = "retry_after" in new known({ detail: "", retry_after: 1 }) ? { retry_after: 1 } : {}
    const errors = code in blamed ? { errors: [blamed[code]] } : {}
    const value = { type, title, status, code, detail: detail[code] ?? title, ...errors, ...waits }
    return [`${known.identifier}Encoded`, { code, summary: title, value }]
  })
)

const ofProblem = (media: Media): void => {
  const refs = (media.schema.anyOf ?? [media.schema]).flatMap(
    ({ $ref = "" }) => problems.get($ref.split("/").at(-1)!) ?? []
  )
  media.examples = Object.fromEntries(refs.map(({ code, summary, value }) => [code, { summary, value }]))
}

/** Gives the bodies of an operation their examples. */
export const complete = (operation: Operation, components: Samples.Components): void => {
  const bodies = Object.entries(operation.requestBody?.content ?? {})
  const answers = Object.entries(operation.responses).flatMap(([status, { content }]) =>
    Number(status) < 300 ? Object.entries(content ?? {}) : []
  )
  for (const [type, media] of [...bodies, ...answers] as ReadonlyArray<[string, Media]>)
    media.example = streams[type] ?? Samples.of(media.schema, components)
  for (const { content } of Object.values(operation.responses))
    for (const media of Object.values(content ?? {}) as ReadonlyArray<Media>)
      if (media.example === undefined) ofProblem(media)
}
