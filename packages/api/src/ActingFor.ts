/**
 * Says in the OpenAPI document that signed-in operations take the header `vpnmgr-act-for`. The contract's endpoints do
 * not name it: it belongs to signing in, and a client sets it once for all that it asks.
 */
import type { OpenApi } from "effect/http-api"
import { actForHeader } from "./Access.ts"

const parameter: OpenApi.OpenAPISpecParameter = {
  name: actForHeader,
  in: "header",
  required: false,
  schema: { type: "string", format: "uuid" },
  description:
    "For superusers: the id of the operator to act for. What may be seen and done is then the operator's; audit names both."
}

/** Adds the header to every operation that a person's token opens; the document is changed in place. */
export const describe = <Document extends object>(document: Document): Document => {
  for (const methods of Object.values((document as unknown as OpenApi.OpenAPISpec).paths))
    for (const operation of Object.values(methods))
      if ("security" in operation && operation.security.some((requirement) => "token" in requirement))
        operation.parameters.push(parameter)
  return document
}
