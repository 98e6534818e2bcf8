/** Wires the server: stores, rules, HTTP on its two doors, jobs. */
import { Jobs, Setup } from "@vpnmgr/http-server"
import { Console, Effect, Layer } from "effect"
import * as Logging from "../Logging.ts"
import type { ServerSettings } from "../settings/ServerSettings.ts"
import { untilSignal } from "../Signals.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as EncryptionKey from "./EncryptionKey.ts"
import { greeting } from "./Greeting.ts"
import * as Listener from "./Listener.ts"
import { services } from "./Services.ts"
import * as Store from "./Store.ts"

/** Opens everything, greets, and waits. */
const start = Effect.fnUntraced(function* (settings: ServerSettings, config: string | null) {
  yield* DataDirectory.make(settings.dataDirectory)
  const socket = yield* DataDirectory.claim(settings.dataDirectory)
  const server = yield* Listener.makeServer(settings)
  yield* Listener.isFree(settings.listen)
  const found = yield* EncryptionKey.find(settings)
  const doors = Layer.mergeAll(Listener.tcp(server, settings.listen), Listener.socket(socket), Jobs.layer)
  const context = yield* Layer.build(Layer.provideMerge(doors, services(settings, found)))
  const url = Listener.urlOf(server, settings.listen)
  yield* DataDirectory.announce(settings.dataDirectory, {
    pid: process.pid,
    url,
    publicUrl: settings.publicUrl ?? url
  })
  const secret = yield* Effect.flatMap(Setup.Setup, ({ offer }) => offer).pipe(Effect.provide(context))
  yield* Console.log(greeting({ settings, url, config, secret, madeKey: found.madeIn }))
  return yield* Effect.never
})

/** Serves until a signal; then requests in flight are answered before it ends. */
export const serve = (settings: ServerSettings, config: string | null) =>
  untilSignal(Effect.scoped(start(settings, config))).pipe(
    Effect.mapError(Store.inWords),
    Effect.provide(Logging.layerDaemon(settings.logLevel))
  )
