/** Completes the OpenAPI document with what no endpoint says by itself: common headers, units, examples, problems. */
import type { OpenApi } from "effect/http-api"
import * as ActingFor from "./ActingFor.ts"
import * as Examples from "./document/Examples.ts"
import * as Headers from "./document/Headers.ts"
import * as Words from "./document/Words.ts"
import type { Components } from "./document/Samples.ts"

const schemes: Readonly<Record<string, string>> = {
  token: "A person's token, from POST /api/v1/session; good for an hour, or until somebody signs out with it.",
  key: "A node's key, from POST /api/v1/nodes/{id}/tokens; good until it is revoked."
}

/** Everything that is added to what the contract says by itself; the document is changed in place. */
export const complete = <Document extends object>(document: Document): Document => {
  const { components, paths } = ActingFor.describe(document) as unknown as OpenApi.OpenAPISpec
  for (const [name, scheme] of Object.entries(components.securitySchemes))
    Object.assign(scheme, { description: schemes[name] })
  Words.complete(document)
  for (const [path, methods] of Object.entries(paths))
    for (const [method, operation] of Object.entries(methods as Record<string, Headers.Operation>)) {
      Headers.complete(operation, method, path)
      operation.parameters.forEach(Words.parameter)
      Examples.complete(operation, components.schemas as Components)
    }
  return document
}
