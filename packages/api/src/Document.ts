/** Completes the OpenAPI document with what holds for many operations alike, and no endpoint names by itself. */
import type { OpenApi } from "effect/http-api"
import { idempotencyKeyHeader, replayedHeader, takesKey } from "./Access.ts"
import * as ActingFor from "./ActingFor.ts"
import * as Problem from "./Problem.ts"

type Operation = OpenApi.OpenAPISpecOperation

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

/** Everything that is added to what the contract says by itself; the document is changed in place. */
export const complete = <Document extends object>(document: Document): Document => {
  for (const [path, methods] of Object.entries((ActingFor.describe(document) as unknown as OpenApi.OpenAPISpec).paths))
    for (const [method, operation] of Object.entries(methods as Record<string, Operation>)) {
      withVersion(operation)
      if (takesKey(method, path)) withKey(operation)
      else withoutKey(operation)
    }
  return document
}
