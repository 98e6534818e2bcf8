/** `/api/v1/inbounds` over the core's `Inventory`. Private keys stop here. */
import { Api, type Inbounds as Contract } from "@vpnmgr/api"
import { Inbound, Inventory } from "@vpnmgr/core"
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

export const layer: Handlers<"inbounds", Inventory.Inventory> = HttpApiBuilder.group(
  Api,
  "inbounds",
  Effect.fn(function* (handlers) {
    const inventory = yield* Inventory.Inventory
    return handlers.handleAll({
      create: ({ payload: { geo = null, purpose = null, ...draft } }) =>
        Refusal.changing(Effect.map(inventory.createInbound({ ...draft, geo, purpose }), view)),
      list: ({ query }) =>
        Refusal.reading(
          paged(query, (page) =>
            Effect.map(inventory.listInbounds(query.node_id ?? null, page), (found) => found.map(view))
          )
        ),
      get: ({ params }) => Refusal.reading(Effect.map(inventory.getInbound(params.id), view)),
      change: ({ params, payload }) =>
        Refusal.changing(Effect.map(inventory.changeInbound(params.id, present(payload)), view))
    })
  })
)
