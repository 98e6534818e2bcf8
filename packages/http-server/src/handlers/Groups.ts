/** `/api/v1/groups` over the core's `Directory`. */
import { Api } from "@vpnmgr/api"
import { Directory } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Refusal from "../Refusal.ts"
import type { Handlers } from "./Handlers.ts"
import { paged, present } from "./Paging.ts"

export const layer: Handlers<"groups", Directory.Directory> = HttpApiBuilder.group(
  Api,
  "groups",
  Effect.fn(function* (handlers) {
    const directory = yield* Directory.Directory
    return handlers.handleAll({
      create: ({ payload: { name, maxTraffic = null, maxSpeed = null, trafficResetPeriod = null } }) =>
        Refusal.changing(directory.createGroup({ name, maxTraffic, maxSpeed, trafficResetPeriod })),
      list: ({ query }) =>
        Refusal.reading(paged(query, (page) => directory.listGroups(present({ search: query.search }), page))),
      get: ({ params }) => Refusal.reading(directory.getGroup(params.id)),
      change: ({ params, payload }) => Refusal.changing(directory.changeGroup(params.id, present(payload))),
      remove: ({ params }) => Refusal.changing(directory.removeGroup(params.id))
    })
  })
)
