/**
 * The server as layers: everything but the listening socket and the stores.
 *
 * `services` is built once; `serve` once per listener, the local one with `{ local: true }`.
 */
import type { Server } from "node:http"
import { Api } from "@vpnmgr/api"
import type {
  AuditTrail,
  BucketStore,
  ConfigDelivery,
  Directory,
  Enforcer,
  Inbounds as Fleet,
  IdempotencyStore,
  Inventory,
  NodeStates,
  Quarantine,
  Records as CoreRecords,
  Sessions,
  SettingStore,
  Spares,
  Subscriptions as Core,
  Transaction,
  UsageStore,
  UserStore,
  Vault
} from "@vpnmgr/core"
import { Effect, Layer } from "effect"
import { HttpMiddleware, HttpRouter, HttpServer as Listener } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ActingFor } from "./ActingFor.ts"
import * as ConfigFront from "./ConfigFront.ts"
import * as ConfigRoute from "./ConfigRoute.ts"
import * as Documentation from "./Documentation.ts"
import { Exports } from "./Exports.ts"
import * as Groups from "./handlers/Groups.ts"
import * as Health from "./handlers/Health.ts"
import * as Inbounds from "./handlers/Inbounds.ts"
import * as NodeProtocol from "./handlers/NodeProtocol.ts"
import * as Nodes from "./handlers/Nodes.ts"
import * as Records from "./handlers/Records.ts"
import * as Session from "./handlers/Session.ts"
import * as SessionsOf from "./handlers/Sessions.ts"
import * as Subscriptions from "./handlers/Subscriptions.ts"
import * as Users from "./handlers/Users.ts"
import { LongPolls } from "./LongPolls.ts"
import * as Middlewares from "./Middlewares.ts"
import { Passwords } from "./Passwords.ts"
import { Rates } from "./Rates.ts"
import * as Requests from "./Requests.ts"
import { Setup } from "./Setup.ts"
import { SignIn } from "./SignIn.ts"
import { Tokens } from "./Tokens.ts"

/** What `services` makes. */
export type Services = Setup | SignIn | ActingFor | Passwords | LongPolls | Exports | Rates

/** What the routes ask of the core: its `ControlPlane` and three of the stores. */
export type Needs =
  | AuditTrail.AuditTrail
  | BucketStore.BucketStore
  | ConfigDelivery.ConfigDelivery
  | Core.Subscriptions
  | Directory.Directory
  | Enforcer.Enforcer
  | Fleet.Inbounds
  | IdempotencyStore.IdempotencyStore
  | Inventory.Inventory
  | NodeStates.NodeStates
  | Quarantine.Quarantine
  | CoreRecords.Records
  | Sessions.Sessions
  | SettingStore.SettingStore
  | Spares.Spares
  | Transaction.Transaction
  | UsageStore.UsageStore

/** Sign-in, set-up and the polls, which all listeners share. */
export const services: Layer.Layer<
  Services,
  Transaction.StoreError,
  | SettingStore.SettingStore
  | UserStore.UserStore
  | Directory.Directory
  | Sessions.Sessions
  | Transaction.Transaction
  | Vault.Vault
> = Layer.mergeAll(ActingFor.layer, Setup.layer, SignIn.layer.pipe(Layer.provide(Tokens.layer))).pipe(
  Layer.provideMerge(Layer.mergeAll(Passwords.layer, LongPolls.layer, Exports.layer, Rates.layer))
)

const handlers = Layer.mergeAll(
  Session.setup,
  Session.session,
  SessionsOf.layer,
  Users.layer,
  Groups.layer,
  Subscriptions.layer,
  Nodes.layer,
  Inbounds.layer,
  Records.spares,
  Records.trafficReports,
  Records.accessLog,
  Records.audit,
  Records.quarantine,
  Records.reportConflicts,
  NodeProtocol.layer,
  Health.layer
).pipe(Layer.provide(Middlewares.layer))

export interface Options {
  /** True for the server's own mode-600 socket: whoever may open it is the system, without a token. */
  readonly local: boolean
  /** The node:http server beneath, where there is one: configs are then answered in front of the router. */
  readonly server?: Server
}

/** Every route, for a router of the host's own. */
export const routes = ({ local }: Options): Layer.Layer<never, never, HttpRouter.HttpRouter | Services | Needs> =>
  Layer.mergeAll(
    HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide([handlers, Listener.layerServices])),
    ConfigRoute.layer,
    Documentation.layer,
    Requests.layer({ local })
  )

/** An address has one spelling: what stands in front of the server and the server read the same one. */
const routerConfig = { ignoreDuplicateSlashes: false }

const untraced = Layer.succeed(HttpMiddleware.TracerDisabledWhen)(() => true)

const stop = Layer.effectDiscard(Effect.flatMap(LongPolls, ({ stop }) => Effect.addFinalizer(() => stop)))

/**
 * Serves every route on an `HttpServer`. When it is released, polls end first and requests in flight are finished, for
 * as long as the socket's layer allows (`gracefulShutdownTimeout`, 20 s).
 */
export const serve = (options: Options): Layer.Layer<never, never, Listener.HttpServer | Services | Needs> => {
  const front = options.server === undefined ? Layer.empty : ConfigFront.layer(options.server)
  return Layer.fresh(stop).pipe(
    Layer.provideMerge(
      HttpRouter.serve(routes(options), { disableLogger: true, disableListenLog: true, routerConfig })
    ),
    Layer.merge(front),
    Layer.provide(untraced)
  )
}
