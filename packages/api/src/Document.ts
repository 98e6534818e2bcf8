/** Completes the OpenAPI document with what holds for many operations alike, and no endpoint names by itself. */
import type { OpenApi } from "effect/http-api"
import * as ActingFor from "./ActingFor.ts"

const ifMatch: OpenApi.OpenAPISpecParameter = {
  name: "If-Match",
  in: "header",
  required: false,
  schema: { type: "string", examples: ['"mdx3k2f0"'] },
  description:
    "Entity tags of the versions that may be changed, from ETag, separated by commas; * is any. Another version answers 412."
}

/** Adds `If-Match` to every operation that may answer 412; the document is changed in place. */
const withVersions = <Document extends object>(document: Document): Document => {
  for (const methods of Object.values((document as unknown as OpenApi.OpenAPISpec).paths))
    for (const operation of Object.values(methods))
      if ("responses" in operation && "412" in operation.responses) operation.parameters.push(ifMatch)
  return document
}

/** Everything that is added to what the contract says by itself. */
export const complete = <Document extends object>(document: Document): Document =>
  withVersions(ActingFor.describe(document))
