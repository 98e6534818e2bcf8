/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a POST that is sent again is answered again, not done
 * again. Keys belong to who is signed in, also when acting for another.
 *
 * Only answers of 2xx are kept. What they show once is not kept with them.
 */
import { createHash } from "node:crypto"
import { Access, Operation, Problem } from "@vpnmgr/api"
import { type Actor, Idempotency, type IdempotencyStore, type Transaction } from "@vpnmgr/core"
import { Context, Effect, Schema } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { HttpApiEndpoint } from "effect/http-api"

const wellFormed = /^[\x21-\x7e]{1,255}$/

const detail = "Expected 1 to 255 visible ASCII characters"
const malformed = new Problem.Malformed({
  detail: `${Access.idempotencyKeyHeader}: ${detail}`,
  errors: [{ field: Access.idempotencyKeyHeader, detail }]
})

const reused = new Problem.IdempotencyKeyReused({
  detail: "Another request was answered under this key within the last 24 hours"
})

const inProgress = new Problem.RequestInProgress({
  detail: "A request with this key has not been answered yet",
  retry_after: 1
})

/** What is kept of an answer. */
const Kept = Schema.fromJsonString(
  Schema.Struct({
    status: Schema.Int,
    headers: Schema.Record(Schema.String, Schema.String),
    body: Schema.NullOr(Schema.String)
  })
)

const withoutSecrets = (body: string, shownOnce: ReadonlyArray<string>): string =>
  shownOnce.length === 0
    ? body
    : JSON.stringify({ ...JSON.parse(body), ...Object.fromEntries(shownOnce.map((field) => [field, null])) })

/** What is kept of a response; null when it is no success, or no text. */
const kept = (response: HttpServerResponse.HttpServerResponse, shownOnce: ReadonlyArray<string>): string | null => {
  const { body, headers, status } = response
  if (status < 200 || status > 299) return null
  const { etag } = headers
  const shown = etag === undefined ? {} : { etag }
  if (body._tag === "Empty") return Schema.encodeSync(Kept)({ status, headers: shown, body: null })
  if (body._tag !== "Uint8Array") return null
  const text = body.text ?? new TextDecoder().decode(body.body)
  return Schema.encodeSync(Kept)({
    status,
    headers: { ...shown, "content-type": body.contentType },
    body: withoutSecrets(text, shownOnce)
  })
}

const replay = (answer: string) => {
  const { status, headers, body } = Schema.decodeSync(Kept)(answer)
  const marked = { ...headers, [Access.replayedHeader]: "true" }
  return body === null
    ? HttpServerResponse.empty({ status, headers: marked })
    : HttpServerResponse.text(body, { status, headers: marked, contentType: headers["content-type"] ?? "" })
}

/** Everything about a request that makes it another one; not the name by which the server was reached. */
const fingerprint = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const { headers, method, url } = request
  const body = yield* Effect.orDie(request.text)
  const parts = [method, url, headers[Access.actForHeader] ?? "", headers["if-match"] ?? "", body]
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex")
})

type Handler<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** Makes what runs the handler of a signed-in operation: once for each key. */
export const make = Effect.map(
  Effect.context<IdempotencyStore.IdempotencyStore | Transaction.Transaction>(),
  (context) =>
    <E, R>(handler: Handler<E, R>, endpoint: HttpApiEndpoint.Top, actor: Actor.ActorShape) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const key = request.headers[Access.idempotencyKeyHeader]
        if (key === undefined || !Access.takesKey(endpoint.method, endpoint.path)) return yield* handler
        if (!wellFormed.test(key)) return yield* malformed
        const shownOnce = Context.get(endpoint.annotations, Operation.ShownOnce)
        const work = Effect.map(handler, (value) => ({ value, answer: kept(value, shownOnce) }))
        const scope = { actorId: actor.by ?? actor.id, key }
        const outcome = yield* Idempotency.once(scope, yield* fingerprint(request), work).pipe(
          Effect.provideContext(context)
        )
        switch (outcome._tag) {
          case "Done":
            return outcome.value
          case "Replayed":
            return replay(outcome.answer)
          case "Reused":
            return yield* reused
          case "InProgress":
            return yield* inProgress
        }
      })
)
