/** `/api/v1/nodes` and `/api/v1/node-tokens` over the core's `Inventory`. */
import { Api } from "@vpnmgr/api"
import { Inventory } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Refusal from "../Refusal.ts"
import type { Handlers } from "./Handlers.ts"
import { paged, present } from "./Paging.ts"

const view = ({ node, health }: Inventory.NodeStanding) => ({ ...node, health })

export const layer: Handlers<"nodes", Inventory.Inventory> = HttpApiBuilder.group(
  Api,
  "nodes",
  Effect.fn(function* (handlers) {
    const inventory = yield* Inventory.Inventory
    return handlers.handleAll({
      create: ({ payload: { description = null, geo = null, purpose = null, linkSpeed = null } }) =>
        Refusal.changing(Effect.map(inventory.createNode({ description, geo, purpose, linkSpeed }), view)),
      list: ({ query }) =>
        Refusal.reading(
          paged(query, (page) => {
            const { active: isActive, geo, purpose, search } = query
            const filter = present({ isActive, geo, purpose, search })
            return Effect.map(inventory.listNodes(filter, page), (found) => found.map(view))
          })
        ),
      change: ({ params, payload }) =>
        Refusal.changing(Effect.map(inventory.changeNode(params.id, present(payload)), view)),
      remove: ({ params }) => Refusal.changing(inventory.removeNode(params.id)),
      getToken: ({ params }) => Refusal.reading(inventory.getToken(params.id)),
      get: ({ params }) => Refusal.reading(Effect.map(inventory.getNode(params.id), view)),
      createToken: ({ params }) =>
        Refusal.changing(Effect.map(inventory.createToken(params.id), ({ token, key }) => ({ ...token, key }))),
      listTokens: ({ params }) => Refusal.reading(Effect.map(inventory.listTokens(params.id), (items) => ({ items }))),
      revokeToken: ({ params }) => Refusal.changing(inventory.revokeToken(params.id))
    })
  })
)
