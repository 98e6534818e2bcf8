/** `/api/v1/sessions` over the core's `Sessions`. */
import { Access, Api } from "@vpnmgr/api"
import { Sessions } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Refusal from "../Refusal.ts"
import type { Handlers } from "./Handlers.ts"
import { paged, present } from "./Paging.ts"

export const layer: Handlers<"sessions", Sessions.Sessions> = HttpApiBuilder.group(
  Api,
  "sessions",
  Effect.fn(function* (handlers) {
    const sessions = yield* Sessions.Sessions
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        const current = yield* Access.CurrentSession
        const filter = present({ userId: query.user_id })
        const page = yield* Refusal.reading(paged(query, (asked) => sessions.list(filter, asked)))
        return { ...page, items: page.items.map((session) => ({ ...session, isCurrent: session.id === current.id })) }
      }),
      revoke: ({ params }) => Refusal.reading(sessions.revoke(params.id)),
      revokeAll: Effect.fnUntraced(function* ({ payload }) {
        return { endedSessions: yield* Refusal.reading(sessions.revokeAll(payload.userId)) }
      })
    })
  })
)
