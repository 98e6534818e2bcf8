/** `/api/v1/users` over the core's `Directory`. */
import { Api, type Users } from "@vpnmgr/api"
import { Directory, Instant, Sessions, UsageStore } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Passwords } from "../Passwords.ts"
import * as Refusal from "../Refusal.ts"
import type { Handlers } from "./Handlers.ts"
import { paged, present } from "./Paging.ts"
import * as Superuser from "./Superuser.ts"
import * as UsageViews from "./UsageViews.ts"
import * as WindowView from "./WindowView.ts"

const neverResets = {
  code: "traffic_never_resets" as const,
  detail: "max_traffic is finite and never resets: once it is used up, it stays so"
}

/** A user as it stands at an instant. */
export const view = ({ user, allowance, bucket }: Directory.UserStanding, now: Instant.Instant): Users.UserView => ({
  ...user,
  allowance: {
    ...allowance.limits,
    from: allowance.from,
    warnings: allowance.neverResets ? [neverResets] : []
  },
  ...WindowView.of(bucket, now),
  isOverLimit: WindowView.exhaustedUntil(bucket, now) !== null
})

const shown = <E, R>(standing: Effect.Effect<Directory.UserStanding, E, R>) =>
  Effect.flatMap(standing, (user) => Effect.map(Instant.now, (now) => view(user, now)))

export const layer: Handlers<"users", Directory.Directory | Passwords | Sessions.Sessions | UsageStore.UsageStore> =
  HttpApiBuilder.group(
    Api,
    "users",
    Effect.fn(function* (handlers) {
      const directory = yield* Directory.Directory
      const passwords = yield* Passwords
      const usage = yield* UsageStore.UsageStore
      const sessions = yield* Sessions.Sessions
      return handlers.handleAll({
        create: Effect.fnUntraced(function* ({ payload: { username, password, role, groupIds = [] } }) {
          yield* Superuser.required
          const passwordHash = yield* passwords.hash(password)
          return yield* Refusal.changing(shown(directory.createUser({ username, role, groupIds, passwordHash })))
        }),
        list: ({ query }) => {
          const { group_id: groupId, is_disabled: isDisabled, role, search, username } = query
          const filter = present({ groupId, isDisabled, role, search, username })
          return Refusal.reading(paged(query, (page) => directory.listUsers(filter, page)))
        },
        get: ({ params }) => Refusal.reading(shown(directory.getUser(params.id))),
        change: ({ params, payload }) => Refusal.changing(shown(directory.changeUser(params.id, present(payload)))),
        remove: ({ params }) => Refusal.changing(directory.removeUser(params.id)),
        usage: Effect.fnUntraced(function* ({ params: { id }, query }) {
          yield* Refusal.reading(directory.getUser(id))
          const { from, to } = yield* UsageViews.span({ by: "day", ...query })
          const sums = usage.sums({ kind: "owner", id }, query.by ?? "day", from, to)
          return { from, to, items: (yield* Refusal.storing(sums)).map(UsageViews.row) }
        }),
        setGroups: ({ params, payload }) => Refusal.changing(shown(directory.setGroups(params.id, payload.groupIds))),
        resetPassword: Effect.fnUntraced(function* ({ params, payload }) {
          yield* Superuser.required
          const password = payload.password ?? (yield* passwords.generate)
          const passwordHash = yield* passwords.hash(password)
          const endedSessions = yield* Refusal.changing(sessions.resetPassword(params.id, passwordHash))
          return { password: payload.password === undefined ? password : null, endedSessions }
        }),
        reset: ({ params }) => Refusal.changing(shown(directory.resetUser(params.id)))
      })
    })
  )
