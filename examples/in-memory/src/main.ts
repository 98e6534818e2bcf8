/** Embeds the core without a database or a server: a subscription is created, reports what it used, and runs dry. */
import {
  Actor,
  ConfigDelivery,
  ControlPlane,
  Enforcer,
  Inbounds,
  Inventory,
  MemoryStores,
  Spares,
  Subscriptions
} from "@vpnmgr/core"
import { Console, Effect, Layer } from "effect"

const program = Effect.gen(function* () {
  const inventory = yield* Inventory.Inventory
  const subscriptions = yield* Subscriptions.Subscriptions
  const configs = yield* ConfigDelivery.ConfigDelivery
  yield* (yield* Spares.Spares).refillDue

  const { node } = yield* inventory.createNode({ description: "Helsinki", geo: "FI", purpose: null, linkSpeed: null })
  const { token } = yield* inventory.createToken(node.id)
  const settings = { protocol: "shadowsocks" } as const
  const entry = { nodeId: node.id, host: "fi.example.com", port: 443, geo: "FI", purpose: null, settings }
  const inbound = yield* (yield* Inbounds.Inbounds).create(entry)
  const limits = { maxTraffic: 1_000n, maxSpeed: null, trafficResetPeriod: "P30D" }
  const { subscription } = yield* subscriptions.create({
    ...limits,
    ownerId: null,
    title: "Ada's phone",
    description: null,
    expiresAt: null,
    inboundIds: [inbound.id],
    anchor: null
  })

  const tags = Effect.map(configs.fetch(subscription.link), (delivery) =>
    delivery._tag === "Config"
      ? (JSON.parse(delivery.body) as { outbounds: Array<{ tag: string }> }).outbounds.map(({ tag }) => tag)
      : []
  )
  yield* Console.log("a config with", yield* tags)

  const now = Date.now()
  const entries = [{ credential: subscription.credential, inbound: inbound.ref, bytesUp: 400n, bytesDown: 600n }]
  const batch = { spool: crypto.randomUUID(), seq: 1, from: now - 1000, to: now, entries }
  const versions = { agentVersion: "example", planeVersion: null }
  const report = { batch, sentAt: now, lowest: 1, ...versions }
  yield* (yield* Enforcer.Enforcer).report({ nodeId: node.id, tokenId: token.id }, report)

  yield* Console.log("after 1,000 bytes:", (yield* subscriptions.get(subscription.id)).verdict)
  yield* Console.log("a stub with", yield* tags)
})

const layer = ControlPlane.layer.pipe(Layer.provideMerge(MemoryStores.layer))
await Effect.runPromise(program.pipe(Effect.provideService(Actor.Actor, Actor.system), Effect.provide(layer)))
