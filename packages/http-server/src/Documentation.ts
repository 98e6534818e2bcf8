/** What a server says of itself: the OpenAPI document, its reference, and a page for every error code. */
import { Api, Problem } from "@vpnmgr/api"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { PrometheusMetrics } from "effect/observability"
import * as Requests from "./Requests.ts"

const pages = Problem.all.map((known) => {
  const { type, status, title, code } = new known({ detail: "", retry_after: 0 })
  return { type, text: `${code} (${status})\n\n${title}.\n\nEvery code: docs/guide/http-api.md\n` }
})

const problemPages = HttpRouter.use((router) =>
  Effect.forEach(pages, ({ type, text }) =>
    router.add("GET", type, Effect.as(Requests.isOf(type), HttpServerResponse.text(text)))
  )
)

/**
 * The reference, whose script is in the page, from no other server. The script is loaded and the page made when somebody
 * asks for it: 9.5 MB of a server's memory, and most servers are never asked (decision 31).
 */
const reference = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const page = HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false } })
    const made = yield* Effect.cached(HttpRouter.toHttpEffect(page))
    yield* router.add("GET", "/docs", Effect.orDie(Effect.flatten(made)))
  })
)

/** `/docs`, `/docs/problems/{code}` and `/metrics`. */
export const layer = Layer.mergeAll(
  reference,
  PrometheusMetrics.layerHttp({ path: "/metrics", prefix: "vpnmgr" }),
  problemPages
)
