/** Makes the answer of whatever went wrong: a problem, always, and nothing of the cause in it. */
import { Problem } from "@vpnmgr/api"
import { Wire } from "@vpnmgr/core"
import { Cause, Effect, Predicate, Result, Schema, SchemaIssue } from "effect"
import { HttpServerError, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { HttpApiError } from "effect/http-api"

/** What is said of every address that leads nowhere, an unknown route among them. */
export const nothingHere = new Problem.NotFound({ detail: "There is nothing at this address" })

/** What is said of a failure that nobody foresaw. */
export const internal = new Problem.Internal({ detail: "The server failed; its log says more" })
const tooLarge = new Problem.TooLarge({ detail: "The body is larger than allowed" })
const notJson = new Problem.UnsupportedMediaType({ detail: "Expected application/json" })

const isProblem = (value: unknown): value is Problem.Problem => Problem.all.some((known) => value instanceof known)

/** A problem as a response, with `Retry-After` where it has one. */
export const problem = (what: Problem.Problem): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(HttpServerRespondable.toResponse(what), (response) => {
    if ("retry_after" in what) return HttpServerResponse.setHeader(response, "retry-after", String(what.retry_after))
    if (what.status === 401) return HttpServerResponse.setHeader(response, "www-authenticate", "Bearer")
    if (what.status === 413) return HttpServerResponse.setHeader(response, "connection", "close")
    return response
  })

const formatter = SchemaIssue.makeFormatterStandardSchemaV1()

const key = (segment: PropertyKey | { readonly key: PropertyKey }): string => {
  const name = Predicate.isObject(segment) ? segment.key : segment
  return typeof name === "string" ? Wire.snake(name) : String(name)
}

/** What is said of a field that nobody knows; it is named as it was sent. */
const excess = "Expected no excess property"

/** Names the fields that do not decode, in wire names. */
export const malformed = (issue: SchemaIssue.Issue): Problem.Malformed => {
  const errors = formatter(issue).issues.map(({ path = [], message }) => {
    const names = path.map(key)
    const last = path.at(-1)
    if (message === excess && typeof last === "string") names.splice(-1, 1, last)
    return { field: names.join("."), detail: message }
  })
  const [first] = errors
  const detail = first === undefined || first.field === "" ? (first?.detail ?? "") : `${first.field}: ${first.detail}`
  return new Problem.Malformed({ detail, errors })
}

const ofFailure = (error: unknown): Problem.Problem | undefined => {
  if (isProblem(error)) return error
  if (Schema.isSchemaError(error)) return malformed(error.issue)
  if (HttpApiError.HttpApiSchemaError.is(error))
    return error.kind === "Body" || error.kind === "ResponseHeaders" ? undefined : malformed(error.cause.issue)
  if (!HttpServerError.isHttpServerError(error)) return undefined
  if (error.reason._tag === "RouteNotFound") return nothingHere
  if (error.reason._tag !== "RequestParseError") return undefined
  return error.reason.reason === "BodyTooLarge"
    ? tooLarge
    : new Problem.Malformed({ detail: "The body could not be read" })
}

/** Answers a failure or a defect with its problem; what nobody foresaw is logged and answered with 500. */
export const ofCause = <E>(cause: Cause.Cause<E>) => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
  const found = ofFailure(Cause.squash(cause))
  return found === undefined
    ? Effect.andThen(Effect.logError("a request failed", cause), problem(internal))
    : problem(found)
}

/** Gives a bare status that a library answered its problem. */
export const dressed = (response: HttpServerResponse.HttpServerResponse) =>
  response.status === 415 ? problem(notJson) : response.status === 413 ? problem(tooLarge) : Effect.succeed(response)

/** Reads JSON; fails as a malformed body does. */
export const json = (text: string): Effect.Effect<unknown, Problem.Malformed> =>
  Effect.fromResult(
    Result.try({
      try: (): unknown => JSON.parse(text),
      catch: () => new Problem.Malformed({ detail: "The body is not JSON" })
    })
  )
