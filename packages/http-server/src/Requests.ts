/**
 * What is kept of a request: one log line with the template of its route, and a count. Never its address, its path as
 * sent, its query, its headers or its body.
 */
import { ByteSize, Clock, Context, Effect, Metric, type Types } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Answer from "./Answer.ts"
import * as Door from "./Door.ts"
import * as Methods from "./Methods.ts"
import { bodySize } from "./Policy.ts"

/** Written by whoever knows the template of the route. */
export interface Record {
  route: string
}

const unmatched = "(none)"

/** The record of the request at hand. */
const Current = Context.Reference<Record>("@vpnmgr/http-server/Requests/Current", {
  defaultValue: () => ({ route: unmatched })
})

/** True for requests that came in over the server's own local socket: they are the system's, without a token. */
export const LocalListener = Context.Reference<boolean>("@vpnmgr/http-server/LocalListener", {
  defaultValue: () => false
})

/** Names the route of the request at hand. */
export const isOf = (route: string) => Effect.map(Current, (record) => void (record.route = route))

const requests = Metric.counter("requests_total", { description: "Requests answered", incremental: true })

const counters = new Map<string, Metric.Counter<number>>()

/** The counter of requests to a route that were answered so; there are as many as routes, methods and statuses. */
export const counterOf = (route: string, method: string, status: number): Metric.Counter<number> => {
  const key = `${status} ${method} ${route}`
  let found = counters.get(key)
  if (found === undefined)
    counters.set(key, (found = Metric.withAttributes(requests, { route, method, status: String(status) })))
  return found
}

const limit = ByteSize.bytes(bodySize)

/** Headers of every answer that says nothing else itself. */
export const hardened = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

const withDefaults = (response: HttpServerResponse.HttpServerResponse) =>
  HttpServerResponse.setHeaders(response, { ...hardened, ...response.headers })

type Handler<R = never> = Effect.Effect<HttpServerResponse.HttpServerResponse, Types.unhandled, R>

/** Around every request of a listener: bounds what comes in, answers what nothing below answered, logs and counts it. */
export const layer = ({ local }: { readonly local: boolean }) =>
  HttpRouter.middleware(
    Effect.map(
      Door.make,
      (letIn) =>
        (handler: Handler): Handler<HttpServerRequest.HttpServerRequest> =>
          Effect.gen(function* () {
            const request = yield* HttpServerRequest.HttpServerRequest
            const record: Record = { route: unmatched }
            const began = yield* Clock.currentTimeMillis
            const found = yield* letIn(request, handler).pipe(
              Effect.catchCause(Answer.ofCause),
              Effect.provideService(Current, record),
              Effect.provideService(LocalListener, local),
              Effect.provideService(HttpIncomingMessage.MaxBodySize, limit)
            )
            const { method, url } = request
            const isNowhere = found.status === 404 && record.route === unmatched
            const response = yield* isNowhere ? Methods.refused(method, url, found) : Effect.succeed(found)
            const { status } = response
            const duration = (yield* Clock.currentTimeMillis) - began
            yield* Effect.logInfo("answered", { method, route: record.route, status, duration })
            yield* Metric.update(counterOf(record.route, method, status), 1)
            return withDefaults(response)
          })
    ),
    { global: true }
  )
