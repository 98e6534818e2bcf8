/**
 * `GET` and `HEAD /s/{link}` in a router, for hosts that have one: the config that apps fetch. A route of its own beside
 * the contract, without a tracer; what is logged and counted says `/s/*`, never the link. The server's own listeners
 * answer it in front of the router (`ConfigFront`).
 */
import { ConfigDelivery } from "@vpnmgr/core"
import { Effect, type Layer, Metric } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Answer from "./Answer.ts"
import * as ConfigAnswer from "./ConfigAnswer.ts"
import { Policy } from "./Policy.ts"
import * as Refusal from "./Refusal.ts"
import * as Requests from "./Requests.ts"

const { route } = ConfigAnswer

/** The answer as the router's response, counted. */
const response = ({ body, headers: row, outcome, status }: ConfigAnswer.ConfigAnswer) => {
  const pairs = row.flatMap((name, at) => (at % 2 === 0 ? [[name, row[at + 1]!] as const] : []))
  const { "content-length": _, "content-type": contentType = "", ...headers } = Object.fromEntries(pairs)
  return Effect.as(
    Metric.update(ConfigAnswer.counterOf(outcome), 1),
    status === 304
      ? HttpServerResponse.empty({ status, headers })
      : HttpServerResponse.text(body, { status, headers, contentType })
  )
}

/** Serves configs from the core's `ConfigDelivery`. */
export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | ConfigDelivery.ConfigDelivery> = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const delivery = yield* ConfigDelivery.ConfigDelivery
    const answers = yield* ConfigAnswer.make
    const { requestTimeout } = yield* Policy
    const fetch = Effect.gen(function* () {
      yield* Requests.isOf(route)
      const { headers, url } = yield* HttpServerRequest.HttpServerRequest
      const found = yield* Refusal.storing(delivery.fetch(ConfigAnswer.linkOf(url)))
      return yield* response(answers.of(found, headers["if-none-match"]))
    })
    const bounded = Effect.timeoutOrElse(fetch, {
      duration: requestTimeout,
      orElse: () => response(answers.tooSlow)
    })
    const answered = Effect.catchTag(bounded, "Unavailable", Answer.problem)
    yield* router.add("GET", route, Effect.withTracerEnabled(answered, false))
  })
)
