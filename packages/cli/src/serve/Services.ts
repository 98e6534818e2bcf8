/** The server without its doors and its jobs: stores, rules and what the routes ask of them. */
import { ControlPlane, Grain, Shares, Spares, Subscriptions } from "@vpnmgr/core"
import type { Transaction, Vault } from "@vpnmgr/core"
import { HttpServer, Policy } from "@vpnmgr/http-server"
import type { Stores } from "@vpnmgr/store-pg"
import { Effect, Layer } from "effect"
import { failed } from "../Failed.ts"
import type { Failed } from "../Failed.ts"
import type { ServerSettings } from "../settings/ServerSettings.ts"
import type * as EncryptionKey from "./EncryptionKey.ts"
import * as Store from "./Store.ts"

/** The deployer's template, where one is named: it is tried here, before anything is served. */
const template = ({ configTemplate }: ServerSettings): Layer.Layer<never, Failed> =>
  configTemplate === null
    ? Layer.empty
    : Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("@vpnmgr/template-nunjucks")),
          ({ NunjucksTemplate }) => NunjucksTemplate.layer(configTemplate)
        )
      ).pipe(Layer.catch(({ detail }) => Layer.effectDiscard(failed(`config_template: ${detail}`))))

const policies = (settings: ServerSettings) =>
  Layer.mergeAll(
    Layer.succeed(Grain.Grain, settings.grain),
    Layer.succeed(Shares.Shares, Shares.of(settings.databaseConnections)),
    Layer.succeed(Subscriptions.RandomLinks, settings.randomLinks === "yes"),
    Layer.succeed(Spares.Policy, {
      minimum: settings.sparesMinimum,
      interval: settings.sparesInterval,
      quietHour: settings.sparesQuietHour
    }),
    Layer.effect(
      Policy.Policy,
      Effect.map(Policy.Policy, (policy) => ({
        ...policy,
        rate: { burst: 10 * settings.requestsPerSecond, perSecond: settings.requestsPerSecond },
        retention: settings.reportRetention,
        accessRetention: settings.accessLogRetention,
        auditRetention: settings.auditRetention,
        updateInterval: settings.profileUpdateHours,
        supportUrl: settings.supportUrl,
        profileWebPageUrl: settings.profileWebPageUrl
      }))
    )
  )

/** Makes the rules and the HTTP services over the stores, all with the settings' policies. */
export const services = (
  settings: ServerSettings,
  { key }: EncryptionKey.Found
): Layer.Layer<
  HttpServer.Services | Layer.Success<typeof ControlPlane.layer> | Stores | Vault.Vault,
  Transaction.StoreError | Failed
> =>
  HttpServer.services.pipe(
    Layer.provideMerge(ControlPlane.layer),
    Layer.provideMerge(Layer.effectDiscard(Store.holdGrain(settings.grain))),
    Layer.provideMerge(Store.layer(settings, key)),
    Layer.provideMerge(policies(settings)),
    Layer.provideMerge(template(settings))
  )
