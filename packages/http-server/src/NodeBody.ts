/** Reads what an agent sends: JSON, or gzip of it, never more than the contract's bounds of either. */
import { promisify } from "node:util"
import { gunzip, gunzipSync } from "node:zlib"
import { NodeProtocol, Problem } from "@vpnmgr/api"
import { Effect, Schema, Stream } from "effect"
import type { HttpServerRequest } from "effect/http"
import * as Answer from "./Answer.ts"

const { sent, inflated } = NodeProtocol.reportSize

const inflate = promisify(gunzip)

const tooLarge = new Problem.TooLarge({ detail: `Expected at most ${sent} bytes as sent and ${inflated} inflated` })
const notJson = new Problem.UnsupportedMediaType({ detail: "Expected application/json, as it is or gzip" })
const notGzip = new Problem.Malformed({ detail: "The body is not gzip" })
const cutOff = new Problem.Malformed({ detail: "The body could not be read" })

const collected = (request: HttpServerRequest.HttpServerRequest) =>
  Stream.runFoldEffect(
    Stream.mapError(request.stream, () => cutOff),
    () => ({ chunks: new Array<Uint8Array>(), size: 0 }),
    ({ chunks, size }, chunk) => {
      const total = size + chunk.byteLength
      if (total > sent) return Effect.fail(tooLarge)
      chunks.push(chunk)
      return Effect.succeed({ chunks, size: total })
    }
  ).pipe(Effect.map(({ chunks }) => Buffer.concat(chunks)))

/**
 * Bytes, inflated, up to which a body is inflated at once. Most reports are smaller, and the way over a thread and back
 * costs more than they do (`docs/decisions/0033-one-look-for-all-polls.md`).
 */
const atOnce = 262_144

const isTooLarge = (error: unknown): boolean =>
  error instanceof RangeError || (error as { readonly code?: string }).code === "ERR_BUFFER_TOO_LARGE"

const inflatedApart = (body: Uint8Array) =>
  Effect.tryPromise({
    try: () => inflate(body, { maxOutputLength: inflated }),
    catch: (error) => (isTooLarge(error) ? tooLarge : notGzip)
  })

const inflatedBody = (body: Uint8Array) =>
  Effect.suspend(() => {
    if (body.byteLength > atOnce) return inflatedApart(body)
    try {
      return Effect.succeed(gunzipSync(body, { maxOutputLength: atOnce }))
    } catch (error) {
      return isTooLarge(error) ? inflatedApart(body) : Effect.fail(notGzip)
    }
  })

const text = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const type = request.headers["content-type"] ?? "application/json"
  const encoding = (request.headers["content-encoding"] ?? "identity").toLowerCase()
  if (!/^application\/json\s*(;|$)/i.test(type)) return yield* notJson
  if (encoding !== "gzip" && encoding !== "identity") return yield* notJson
  const body = yield* collected(request)
  const plain = encoding === "gzip" ? yield* inflatedBody(body) : body
  return plain.toString("utf8")
})

/**
 * Reads bodies of one shape; what fails is the problem to answer. `plainly` may read what it knows as the schema would, and
 * leaves the rest to that.
 */
export const reader = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  plainly: (json: unknown) => S["Type"] | undefined = () => undefined
) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return Effect.fn("NodeBody.read")(function* (request: HttpServerRequest.HttpServerRequest) {
    const json = yield* Answer.json(yield* text(request))
    const plain = plainly(json)
    if (plain !== undefined) return plain
    return yield* Effect.mapError(decode(json), ({ issue }) => Answer.malformed(issue))
  })
}
