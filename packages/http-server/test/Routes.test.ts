/**
 * Every route the router knows, asked by strangers: without a token, with one nobody gave, with a node's key. What is
 * open to them is named here, and nothing else is.
 */
import { assert, layer } from "@effect/vitest"
import { Problem } from "@vpnmgr/api"
import { HttpServer } from "@vpnmgr/http-server"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import * as Server from "./Server.ts"

const { ask } = Server

/** Open to everybody, and why: to sign in and set up, for supervisors, for clients, for readers. */
const open: ReadonlySet<string> = new Set([
  "POST /api/v1/setup",
  "POST /api/v1/session",
  "GET /health/live",
  "GET /health/ready",
  "GET /metrics",
  "GET /openapi.json",
  "GET /docs",
  ...Problem.all.map((known) => `GET ${new known({ detail: "", retry_after: 0 }).type}`),
  "GET /s/*"
])

/** Open to agents alone. */
const isForNodes = (route: string) => route.split(" ")[1]!.startsWith("/node/v1/")

/** Every route of a server, as the router is told of them. */
const registered = Effect.scoped(
  Effect.gen(function* () {
    const router = yield* HttpRouter.make
    const routes: Array<string> = []
    const watched = HttpRouter.HttpRouter.of({
      ...router,
      add: (method, path, handler, options) => {
        routes.push(`${method} ${path}`)
        return router.add(method, path, handler, options)
      },
      addAll: (added) => {
        routes.push(...added.map(({ method, path }) => `${method} ${path}`))
        return router.addAll(added)
      }
    })
    const layer = HttpServer.routes({ local: false })
    yield* Layer.build(layer.pipe(Layer.provide(Layer.succeed(HttpRouter.HttpRouter, watched))))
    return routes
  })
)

const filled = (route: string) => route.replaceAll(/:\w+/g, "0199f3f0-5a7e-7cc3-8a11-3a8b5f1d2c4e").replace("*", "none")

layer(Server.layer({ local: false }), { excludeTestServices: true })("Routes", (it) => {
  it.effect("are closed to strangers but for those that are named", () =>
    Effect.gen(function* () {
      const person = yield* Server.signedIn
      const { json } = yield* ask("POST /api/v1/nodes", { token: person, body: {} })
      const { json: token } = yield* ask(`POST /api/v1/nodes/${json["id"]}/tokens`, { token: person })
      const key = token["key"] as string
      const routes = yield* registered
      assert.isAbove(routes.length, 60)
      assert.deepStrictEqual(
        [...open].filter((route) => !routes.includes(route)),
        [],
        "open, but not there"
      )
      const headers = { "vpnmgr-protocol": "1.0" }
      const garbage = [undefined, "nonsense", `${key.slice(0, -1)}~`, `${person}x`]
      for (const route of routes) {
        const strangers = open.has(route) ? [...garbage, key, person] : [...garbage, isForNodes(route) ? person : key]
        for (const stranger of strangers) {
          const answered = yield* ask(filled(route), { token: stranger, headers })
          const isRefused = answered.status === 401 && answered.json["code"] === "unauthorized"
          assert.strictEqual(isRefused, !open.has(route), `${route}: ${answered.status} ${answered.text.slice(0, 200)}`)
        }
      }
    })
  )

  it.effect("answer what they are asked when the right one asks", () =>
    Effect.gen(function* () {
      const token = yield* Server.signedIn
      const closed = (yield* registered).filter((route) => !open.has(route) && !isForNodes(route))
      for (const route of closed.filter((route) => route.startsWith("GET "))) {
        const { status } = yield* ask(filled(route), { token })
        assert.notInclude([401, 403, 500], status, route)
      }
    })
  )
})
