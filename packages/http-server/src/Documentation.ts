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

/** `/docs`, `/docs/problems/{code}` and `/metrics`; the script of the reference is in the page, from no other server. */
export const layer = Layer.mergeAll(
  HttpApiScalar.layer(Api, { path: "/docs", scalar: { withDefaultFonts: false } }),
  PrometheusMetrics.layerHttp({ path: "/metrics", prefix: "vpnmgr" }),
  problemPages
)
