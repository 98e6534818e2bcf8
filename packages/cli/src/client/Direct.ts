/**
 * The server inside a command: the same contract, handlers, rules and audit over the store itself, without a socket
 * and without the jobs. What they do, such as telling nodes, waits for the next server that runs on the store.
 */
import { HttpServer } from "@vpnmgr/http-server"
import { Effect, Layer } from "effect"
import { FetchHttpClient, HttpClient, HttpRouter } from "effect/http"
import * as Logging from "../Logging.ts"
import * as EncryptionKey from "../serve/EncryptionKey.ts"
import { services } from "../serve/Services.ts"
import * as Store from "../serve/Store.ts"
import type { ServerSettings } from "../settings/ServerSettings.ts"

/** Only what is wrong is said: the answers are what the command is for. */
const quiet = (level: string) => Logging.layer(level === "error" ? level : "warn")

/**
 * Opens the store until the scope closes, and answers what sends requests to it, as the system. Fails with status 503
 * while another process has an embedded one.
 */
export const open = Effect.fn("Direct.open")(function* (settings: ServerSettings) {
  const found = yield* EncryptionKey.find(settings)
  const logging = quiet(settings.logLevel)
  const context = yield* Layer.build(Layer.provideMerge(services(settings, found), logging)).pipe(
    Effect.mapError(Store.inWords)
  )
  const { handler } = yield* Effect.acquireRelease(
    Effect.sync(() =>
      HttpRouter.toWebHandler(
        HttpServer.routes({ local: true }).pipe(Layer.provideMerge(Layer.succeedContext(context))),
        { disableLogger: true }
      )
    ),
    ({ dispose }) => Effect.promise(dispose)
  )
  const inside: typeof globalThis.fetch = (input, init) => handler(new Request(input, init))
  return yield* HttpClient.HttpClient.pipe(
    Effect.provide(FetchHttpClient.layer.pipe(Layer.provide(Layer.succeed(FetchHttpClient.Fetch, inside))))
  )
})
