/** `/api/v1/inbounds` over the core's `Inventory`. Private keys stop here. */
import { Api, type Inbounds as Contract } from "@vpnmgr/api"
import { Actor, Inbound, Inbounds } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Refusal from "../Refusal.ts"
import type { Handlers } from "./Handlers.ts"
import { paged, present } from "./Paging.ts"

const settingsView = (settings: Inbound.InboundSettings): Contract.SettingsView => {
  switch (settings.protocol) {
    case "vless": {
      const { protocol, serverName, handshakeHost, handshakePort, publicKey, shortId } = settings
      return { protocol, serverName, handshakeHost, handshakePort, publicKey, shortId }
    }
    case "shadowsocks":
      return { protocol: settings.protocol }
    case "hysteria2": {
      const { protocol, tls } = settings
      const files = tls.mode === "files" ? tls : { certificatePath: null, keyPath: null }
      const { certificatePath, keyPath } = files
      return { protocol, serverName: tls.serverName, tlsMode: tls.mode, certificatePath, keyPath }
    }
  }
}

/** An inbound without what opens it. */
const view = (inbound: Inbound.Inbound): Contract.InboundView => {
  const { ref: _, settings, ...fields } = inbound
  return { ...fields, settings: settingsView(settings), isServable: Inbound.isServable(inbound) }
}

/** The same for whoever asks: where a node keeps its files is for superusers. */
const viewFor =
  ({ role }: Actor.ActorShape) =>
  (inbound: Inbound.Inbound): Contract.InboundView => {
    const { settings, ...fields } = view(inbound)
    const isOpen = role === "superuser" || settings.protocol !== "hysteria2"
    return { ...fields, settings: isOpen ? settings : { ...settings, certificatePath: null, keyPath: null } }
  }

const outdated = {
  code: "configs_outdated" as const,
  detail: "Configs that were fetched before do not open this inbound any more: apps are refused until they fetch again"
}

const changed = ({ inbound, outdatesConfigs }: Inbounds.Changed): Contract.ChangedInboundView => ({
  ...view(inbound),
  warnings: outdatesConfigs ? [outdated] : []
})

export const layer: Handlers<"inbounds", Inbounds.Inbounds> = HttpApiBuilder.group(
  Api,
  "inbounds",
  Effect.fn(function* (handlers) {
    const inbounds = yield* Inbounds.Inbounds
    return handlers.handleAll({
      create: ({ payload: { geo = null, purpose = null, ...draft } }) =>
        Refusal.changing(Effect.map(inbounds.create({ ...draft, geo, purpose }), view)),
      list: Effect.fnUntraced(function* ({ query }) {
        const show = viewFor(yield* Actor.Actor)
        const { node_id: nodeId, is_active: isActive, geo, purpose, protocol, search } = query
        const filter = present({ nodeId, isActive, geo, purpose, protocol, search })
        const found = paged(query, (page) => Effect.map(inbounds.list(filter, page), (items) => items.map(show)))
        return yield* Refusal.reading(found)
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        return yield* Refusal.reading(Effect.map(inbounds.get(params.id), viewFor(yield* Actor.Actor)))
      }),
      change: ({ params, payload }) =>
        Refusal.changing(Effect.map(inbounds.change(params.id, present(payload)), changed)),
      rotateKeys: ({ params }) => Refusal.changing(Effect.map(inbounds.rotateKeys(params.id), changed)),
      remove: ({ params }) => Refusal.changing(inbounds.remove(params.id))
    })
  })
)
