/** The headers of the OpenAPI document that hold for many operations alike: versions, idempotency keys, waiting. */
import type { OpenApi } from "effect/http-api"
import { idempotencyKeyHeader, replayedHeader, takesKey } from "../Access.ts"
import * as Problem from "../Problem.ts"

export type Operation = OpenApi.OpenAPISpecOperation

const ifMatch: OpenApi.OpenAPISpecParameter = {
  name: "If-Match",
  in: "header",
  required: false,
  schema: { type: "string", examples: ['"mdx3k2f0"'] },
  description:
    "Entity tags of the versions that may be changed, from ETag, separated by commas; * is any. Another version answers 412."
}

const idempotencyKey: OpenApi.OpenAPISpecParameter = {
  name: idempotencyKeyHeader,
  in: "header",
  required: false,
  schema: { type: "string", pattern: "^[!-~]{1,255}$", examples: ["01994a40-create"] },
  description:
    "Sent again under the same key within 24 hours, the request is answered again, not done again. 1 to 255 visible ASCII characters."
}

const replayed: OpenApi.OpenAPISpecHeader = {
  required: false,
  description: "true when the answer was given before; what is shown once is then null",
  schema: { type: "string", const: "true" }
}

/** What only an operation that takes an idempotency key may answer. */
const onlyRepeatable = [Problem.RequestInProgress, Problem.IdempotencyKeyReused].map((known) => {
  const { title } = new known({ detail: "", retry_after: 0 })
  return { title, ref: `#/components/schemas/${known.identifier}Encoded` }
})

const withVersion = (operation: Operation): void => {
  if ("412" in operation.responses) operation.parameters.push(ifMatch)
}

const withKey = ({ parameters, responses }: Operation): void => {
  parameters.push(idempotencyKey)
  for (const [status, response] of Object.entries(responses))
    if (status.startsWith("2")) response.headers = { ...response.headers, [replayedHeader]: replayed }
}

/** Leaves out the answers of idempotency keys, and statuses that nothing else answers. */
const withoutKey = ({ responses }: Operation): void => {
  for (const [status, response] of Object.entries(responses))
    for (const media of Object.values(response.content ?? {})) {
      const { schema } = media as { schema: { anyOf?: Array<{ $ref?: string }>; $ref?: string } }
      const among = schema.anyOf ?? [schema]
      const left = among.filter(({ $ref }) => onlyRepeatable.every(({ ref }) => ref !== $ref))
      if (left.length === among.length) continue
      if (left.length === 0) delete responses[status as never]
      else (media as { schema: unknown }).schema = left.length === 1 ? left[0] : { anyOf: left }
      const titles = response.description.split(" | ")
      response.description = titles.filter((each) => onlyRepeatable.every(({ title }) => title !== each)).join(" | ")
    }
}

const retryAfter: OpenApi.OpenAPISpecHeader = {
  required: true,
  description: "seconds to wait before asking again",
  schema: { type: "integer", minimum: 1, examples: [1] }
}

const authenticate: OpenApi.OpenAPISpecHeader = {
  required: true,
  description: "how to sign in",
  schema: { type: "string", const: "Bearer" }
}

const answerHeaders: Readonly<Record<string, Record<string, OpenApi.OpenAPISpecHeader>>> = {
  "401": { "www-authenticate": authenticate },
  "409": { "retry-after": { ...retryAfter, required: false } },
  "429": { "retry-after": retryAfter },
  "503": { "retry-after": retryAfter }
}

/** Adds every header that an operation takes or answers and its endpoint does not name. */
export const complete = (operation: Operation, method: string, path: string): void => {
  withVersion(operation)
  if (takesKey(method, path)) withKey(operation)
  else withoutKey(operation)
  for (const [status, response] of Object.entries(operation.responses)) {
    const mayWait = status !== "409" || takesKey(method, path)
    if (mayWait) Object.assign(response, { headers: { ...response.headers, ...answerHeaders[status] } })
    if (Object.keys(response.headers ?? {}).length === 0) delete response.headers
  }
}
