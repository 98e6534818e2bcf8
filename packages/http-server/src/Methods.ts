/** Which methods an address takes: for the answer to all others. */
import { Api, Problem } from "@vpnmgr/api"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApi } from "effect/http-api"
import * as Answer from "./Answer.ts"

interface Route {
  readonly method: string
  readonly path: RegExp
}

const route = (method: string, template: string): Route => ({
  method,
  path: new RegExp(
    `^${template
      .replaceAll(".", "\\.")
      .replaceAll(/:[a-z_]+/gi, "[^/]+")
      .replaceAll("*", "[^/]*")}$`
  )
})

const beside = ["/s/*", "/openapi.json", "/docs", "/docs/problems/*", "/metrics"]

const routes = (() => {
  const found = beside.map((path) => route("GET", path))
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => void found.push(route(endpoint.method, endpoint.path.replace(/\/$/, "") || "/"))
  })
  return found
})()

/** The methods of an address; none when nothing is there. */
export const of = (url: string): ReadonlyArray<string> => {
  const [path = ""] = url.split(/[?#]/, 1)
  const bare = path.length > 1 ? path.replace(/\/$/, "") : path
  const found = routes.filter((each) => each.path.test(bare)).map(({ method }) => method)
  return [...new Set(found.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])))].sort()
}

const notAllowed = (allow: string) => new Problem.MethodNotAllowed({ detail: `This address takes ${allow}` })

/** Answers 405 with `Allow` where another method would have found something; else the answer as it is. */
export const refused = (method: string, url: string, response: HttpServerResponse.HttpServerResponse) => {
  const allow = of(url)
  return allow.length === 0 || allow.includes(method)
    ? Effect.succeed(response)
    : Effect.map(Answer.problem(notAllowed(allow.join(", "))), HttpServerResponse.setHeader("allow", allow.join(", ")))
}
