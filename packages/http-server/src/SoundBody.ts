/** Refuses a JSON body that two readers could understand differently, or that lies deeper than any request needs. */
import { Problem } from "@vpnmgr/api"
import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import type { HttpApiEndpoint } from "effect/http-api"
import * as JsonText from "./JsonText.ts"

/** Fails as a malformed body does. */
export const check = (text: string): Effect.Effect<void, Problem.Malformed> => {
  const found = JsonText.objection(text)
  if (found === null) return Effect.void
  const { field, detail } = found
  return Effect.fail(new Problem.Malformed({ detail: `${field}: ${detail}`, errors: [found] }))
}

const decoder = new TextDecoder("utf-8", { fatal: true })

const notUtf8 = new Problem.Malformed({ detail: "The body is not UTF-8" })

const decoded = (bytes: ArrayBuffer) => Effect.try({ try: () => decoder.decode(bytes), catch: () => notUtf8 })

/** Looks at the body of an operation that takes one, before it is decoded. To be asked once it is known who asks. */
export const required = ({
  payload
}: HttpApiEndpoint.Top): Effect.Effect<void, Problem.Malformed, HttpServerRequest.HttpServerRequest> =>
  payload.size === 0
    ? Effect.void
    : Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ arrayBuffer }) =>
        Effect.orDie(arrayBuffer).pipe(Effect.flatMap(decoded), Effect.flatMap(check))
      )
