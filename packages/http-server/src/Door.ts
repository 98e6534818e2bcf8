/**
 * What a listener lets in: how many requests at once, and which bodies. Everything else about a request is asked
 * further inside.
 */
import { Problem } from "@vpnmgr/api"
import { Effect } from "effect"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Answer from "./Answer.ts"
import { bodySize, Policy } from "./Policy.ts"
import * as Refusal from "./Refusal.ts"

const tooLarge = new Problem.TooLarge({ detail: `Expected at most ${bodySize} bytes` })
const notJson = new Problem.UnsupportedMediaType({ detail: "Expected a body with content-type: application/json" })
const encoded = new Problem.UnsupportedMediaType({ detail: "Expected a body without content-encoding" })

const json = /^application\/json[\t ]*(?:;[\t ]*charset="?utf-8"?[\t ]*)?$/i

/** Agents may send gzip; how much, their own reader says. */
const takesGzip = (url: string) => url.startsWith("/node/v1/")

/** Why the body of a request is not even read. */
export const objection = ({ headers, url }: HttpServerRequest.HttpServerRequest): Problem.Problem | undefined => {
  const length = Number(headers["content-length"] ?? 0)
  if (length > bodySize) return tooLarge
  if (length === 0 && headers["transfer-encoding"] === undefined) return undefined
  if (!json.test(headers["content-type"] ?? "")) return notJson
  const encoding = (headers["content-encoding"] ?? "identity").toLowerCase()
  return encoding === "identity" || takesGzip(url) ? undefined : encoded
}

const crowded = Refusal.unavailable("Too many requests are being answered")

/** Polls wait without work; they are counted on their own, in `LongPolls`. */
const isPoll = (url: string) => url.startsWith("/node/v1/state")

/** Where only somebody who is signed in gets further than the door: other addresses are open to whoever asks. */
const signedIn = /^\/(?:api|node)\/v1\/[a-z0-9/_-]*(?:$|\?)/
const open = /^\/api\/v1\/(?:setup|session)\/*(?:$|\?)/

/** True for who is not known to be signed in. A token that nobody looks at makes nobody known. */
const isStranger = ({ headers, method, url }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["authorization"] === undefined || !signedIn.test(url) || (method === "POST" && open.test(url))

type Handler<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** Makes what lets requests in: `Policy.requests` at once, of these `Policy.strangers` from nobody who is signed in. */
export const make = Effect.map(Policy, ({ requests, strangers }) => {
  let inside = 0
  let unknown = 0
  return <E, R>(request: HttpServerRequest.HttpServerRequest, handler: Handler<E, R>) =>
    Effect.suspend((): Handler<E, R> => {
      const refused = objection(request)
      if (refused !== undefined) return Answer.problem(refused)
      if (isPoll(request.url)) return handler
      const isUnknown = isStranger(request)
      if (inside >= requests || (isUnknown && unknown >= strangers)) return Answer.problem(crowded)
      inside++
      if (isUnknown) unknown++
      const leave = Effect.sync(() => {
        inside--
        if (isUnknown) unknown--
      })
      return Effect.ensuring(handler, leave)
    })
})
