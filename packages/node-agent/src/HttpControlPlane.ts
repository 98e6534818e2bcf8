/** The control plane over HTTP (`/node/v1`). The key goes into one header and nowhere else. */
import { gzipSync } from "node:zlib"
import { Effect, Layer, type Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { Convergence, NodeState, TrafficReport } from "@vpnmgr/core"
import {
  ControlPlane,
  ControlPlaneError,
  ProtocolUnknown,
  Refused,
  Unreachable,
  upgradeAdvice
} from "./ControlPlane.ts"

export interface HttpOptions {
  /** The server's address, such as `https://vpn.example.org`; a path in front of `/node/v1` is kept. */
  readonly url: string
  /** The node's token. */
  readonly key: Redacted.Redacted
  /** Allows `http://` to another machine: the key and the state then travel in the clear. Default false. */
  readonly allowInsecure?: boolean | undefined
  /** Milliseconds one report or `applied` may take. Default 15,000. */
  readonly timeout?: number | undefined
}

/** The address would carry the node's key in the clear, or is none. */
export class UrlRejected extends Schema.TaggedError<UrlRejected>()("UrlRejected", { detail: Schema.String }) {}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Bodies above this many bytes are compressed. */
const gzipAbove = 1024

const baseOf = ({ url, allowInsecure }: HttpOptions): Effect.Effect<string, UrlRejected> => {
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    return Effect.fail(new UrlRejected({ detail: "the server's address must begin with https:// or http://" }))
  if (parsed.username !== "" || parsed.password !== "" || parsed.search !== "")
    return Effect.fail(new UrlRejected({ detail: "the server's address must hold no password and no query" }))
  if (parsed.protocol === "http:" && !loopback.test(parsed.hostname) && allowInsecure !== true)
    return Effect.fail(
      new UrlRejected({ detail: `http:// to ${parsed.hostname} would send the node's key in the clear: use https://` })
    )
  return Effect.succeed(`${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}/node/v1`)
}

const failed = (reason: Unreachable | Refused | ProtocolUnknown) => new ControlPlaneError({ reason })
const unreachable = (detail: string) => failed(new Unreachable({ detail }))

const Problem = Schema.Struct({
  code: Schema.optional(Schema.String),
  title: Schema.optional(Schema.String),
  detail: Schema.optional(Schema.String)
})

const checkProtocol = (theirs: string | undefined) => {
  const advice = theirs === undefined ? null : upgradeAdvice(theirs)
  return advice === null ? Effect.void : Effect.fail(failed(new ProtocolUnknown({ theirs: theirs ?? "", advice })))
}

/** Passes a 2xx on; says what any other answer means. */
const judge = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  yield* checkProtocol(response.headers["vpnmgr-protocol"])
  const { status } = response
  if (status >= 200 && status < 300) return response
  const body = yield* response.json.pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Problem)),
    Effect.catch(() => Effect.succeed<typeof Problem.Type>({}))
  )
  const detail = (body.detail ?? body.title ?? `the server answered ${status}`).slice(0, 500)
  if (body.code === "unsupported_protocol")
    return yield* failed(
      new ProtocolUnknown({ theirs: response.headers["vpnmgr-protocol"] ?? "unknown", advice: detail })
    )
  const isPassing = status >= 500 || status === 408 || status === 425 || status === 429
  return yield* isPassing ? unreachable(detail) : failed(new Refused({ status, code: body.code ?? null, detail }))
})

const jsonOf = (response: HttpClientResponse.HttpClientResponse) =>
  response.json.pipe(Effect.mapError(() => unreachable("the server's answer broke off or is no JSON")))

const malformed = (what: string) => () =>
  failed(new Refused({ status: 200, code: "malformed_answer", detail: `the server's ${what} cannot be read` }))

const Protocol = Schema.Struct({ protocol: Schema.String })

const body = (request: HttpClientRequest.HttpClientRequest, value: unknown): HttpClientRequest.HttpClientRequest => {
  const plain = new TextEncoder().encode(JSON.stringify(value))
  return plain.length <= gzipAbove
    ? HttpClientRequest.bodyUint8Array(request, plain, "application/json")
    : HttpClientRequest.bodyUint8Array(request, new Uint8Array(gzipSync(plain)), "application/json").pipe(
        HttpClientRequest.setHeader("content-encoding", "gzip")
      )
}

export const make = Effect.fn("HttpControlPlane.make")(function* (options: HttpOptions) {
  const base = yield* baseOf(options)
  const client = yield* HttpClient.HttpClient
  const timeout = options.timeout ?? 15_000

  const ask = (request: HttpClientRequest.HttpClientRequest, within: number) =>
    client
      .execute(
        request.pipe(
          HttpClientRequest.acceptJson,
          HttpClientRequest.bearerToken(options.key),
          HttpClientRequest.setHeader("vpnmgr-protocol", NodeState.protocolVersion)
        )
      )
      .pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
        Effect.mapError(() => unreachable("the server does not answer")),
        Effect.flatMap(judge),
        Effect.timeoutOrElse({
          duration: within,
          orElse: () => Effect.fail(unreachable(`the server did not answer within ${within / 1000} s`))
        })
      )

  return ControlPlane.of({
    state: Effect.fn("ControlPlane.state")(function* ({ generation, revision }, wait) {
      const request = HttpClientRequest.get(`${base}/state`, {
        urlParams: generation === "" ? { wait } : { generation, revision, wait }
      })
      const response = yield* ask(request, wait * 1000 + timeout)
      if (response.status === 204) return null
      const json = yield* jsonOf(response).pipe(
        Effect.timeoutOrElse({ duration: 60_000, orElse: () => Effect.fail(unreachable("the state broke off")) })
      )
      const { protocol } = yield* Schema.decodeUnknownEffect(Protocol)(json).pipe(Effect.mapError(malformed("state")))
      yield* checkProtocol(protocol)
      return yield* Schema.decodeUnknownEffect(NodeState.NodeState)(json).pipe(Effect.mapError(malformed("state")))
    }),
    applied: Effect.fn("ControlPlane.applied")(function* (report) {
      const value = Schema.encodeSync(Convergence.AppliedReport)(report)
      yield* ask(body(HttpClientRequest.post(`${base}/applied`), value), timeout)
    }),
    report: Effect.fn("ControlPlane.report")(function* (report) {
      const value = Schema.encodeSync(TrafficReport.Report)(report)
      const response = yield* ask(body(HttpClientRequest.post(`${base}/reports`), value), timeout)
      const json = yield* jsonOf(response).pipe(
        Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(unreachable("the receipt broke off")) })
      )
      return yield* Schema.decodeUnknownEffect(TrafficReport.Receipt)(json).pipe(Effect.mapError(malformed("receipt")))
    })
  })
})

/** Speaks to the server with the platform's `fetch`; follows no redirect, since one could lead the key astray. */
export const layer = (options: HttpOptions): Layer.Layer<ControlPlane, UrlRejected> =>
  Layer.effect(ControlPlane, make(options)).pipe(Layer.provide(FetchHttpClient.layer))
