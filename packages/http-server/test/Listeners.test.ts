import { assert, it } from "@effect/vitest"
import { HttpServer } from "@vpnmgr/http-server"
import { Context, Effect, Layer } from "effect"
import { HttpServer as Listener } from "effect/http"
import * as Server from "./Server.ts"

class Open extends Context.Service<Open, Listener.HttpServer["Service"]>()("test/Open") {}
class Local extends Context.Service<Local, Listener.HttpServer["Service"]>()("test/Local") {}

const listener = <Self>(tag: Context.Key<Self, Listener.HttpServer["Service"]>, options: HttpServer.Options) =>
  HttpServer.serve(options).pipe(
    Layer.provideMerge(Layer.effect(tag, Listener.HttpServer)),
    Layer.provide(Layer.fresh(Server.socket))
  )

const both = Layer.mergeAll(listener(Open, { local: false }), listener(Local, { local: true })).pipe(
  Layer.provide(Server.services)
)

it.live("two listeners of a process share everything but who may ask without a token", () =>
  Effect.gen(function* () {
    const on = (which: Listener.HttpServer["Service"], route: string, body?: unknown) =>
      Effect.provideService(Server.ask(route, { body }), Listener.HttpServer, which)
    const open = yield* Open
    const local = yield* Local
    for (let n = 0; n < 2; n++) {
      assert.strictEqual((yield* on(open, "GET /api/v1/groups")).status, 401)
      assert.strictEqual((yield* on(local, "GET /api/v1/groups")).status, 200)
    }
    const made = yield* on(local, "POST /api/v1/subscriptions", {})
    assert.strictEqual((yield* on(open, `GET ${made.json["config_path"]}`)).status, 200)
  }).pipe(Effect.provide(both))
)
