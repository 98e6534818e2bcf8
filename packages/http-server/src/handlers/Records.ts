/** `/api/v1/spares`, `/api/v1/audit` and `/api/v1/quarantine`. For superusers. */
import { Api } from "@vpnmgr/api"
import { AuditLog, Spares, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Refusal from "../Refusal.ts"
import type { Handlers } from "./Handlers.ts"
import { paged, present } from "./Paging.ts"
import * as Superuser from "./Superuser.ts"

export const spares: Handlers<"spares", Spares.Spares> = HttpApiBuilder.group(
  Api,
  "spares",
  Effect.fn(function* (handlers) {
    const spares = yield* Spares.Spares
    const policy = yield* Spares.Policy
    return handlers.handleAll({
      get: Effect.fnUntraced(function* () {
        yield* Superuser.required
        const pool = yield* Refusal.storing(spares.pool)
        return { ...pool, target: Spares.target(pool, policy) }
      }),
      refill: Effect.fnUntraced(function* () {
        yield* Superuser.required
        return { added: yield* Refusal.storing(spares.refill) }
      })
    })
  })
)

export const audit: Handlers<"audit", AuditLog.AuditStore> = HttpApiBuilder.group(
  Api,
  "audit",
  Effect.fn(function* (handlers) {
    const store = yield* AuditLog.AuditStore
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        yield* Superuser.required
        const { actor_id: actorId, target_type: targetType, target_id: targetId, from, to } = query
        const filter = present({ actorId, targetType, targetId, from, to })
        return yield* Refusal.storing(paged(query, (page) => store.list(filter, page)))
      })
    })
  })
)

export const quarantine: Handlers<"quarantine", UsageStore.UsageStore> = HttpApiBuilder.group(
  Api,
  "quarantine",
  Effect.fn(function* (handlers) {
    const store = yield* UsageStore.UsageStore
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        yield* Superuser.required
        return yield* Refusal.storing(paged(query, store.quarantine))
      })
    })
  })
)
