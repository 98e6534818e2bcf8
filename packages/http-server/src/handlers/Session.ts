/** `/api/v1/setup` and `/api/v1/session`. */
import { Access, Api } from "@vpnmgr/api"
import { Actor, Directory, Id, Instant } from "@vpnmgr/core"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as ActingFor from "../ActingFor.ts"
import * as Refusal from "../Refusal.ts"
import { Setup } from "../Setup.ts"
import { SignIn } from "../SignIn.ts"
import { view } from "./Users.ts"

export const setup = HttpApiBuilder.group(
  Api,
  "setup",
  Effect.fn(function* (handlers) {
    const setup = yield* Setup
    return handlers.handleAll({
      create: ({ payload }) => Refusal.settingUp(setup.complete(payload))
    })
  })
)

export const session = HttpApiBuilder.group(
  Api,
  "session",
  Effect.fn(function* (handlers) {
    const signIn = yield* SignIn
    const directory = yield* Directory.Directory
    return handlers.handleAll({
      signIn: Effect.fnUntraced(function* ({ payload: { username, password } }) {
        return yield* Refusal.storeOnly(signIn.signIn(username, password))
      }),
      signOut: Effect.fnUntraced(function* () {
        yield* ActingFor.refused
        const { id } = yield* Access.CurrentSession
        if (id !== null) yield* Refusal.reading(signIn.signOut)
      }),
      renew: Effect.fnUntraced(function* () {
        yield* ActingFor.refused
        return yield* Refusal.reading(signIn.renew)
      }),
      changePassword: Effect.fnUntraced(function* ({ payload }) {
        yield* ActingFor.refused
        return { endedSessions: yield* Refusal.hashing(signIn.changePassword(payload)) }
      }),
      me: Effect.fnUntraced(function* () {
        const actor = yield* Actor.Actor
        const role = actor.role === "superuser" ? ("superuser" as const) : ("operator" as const)
        if (actor.id === Id.system) return { role, user: null }
        const standing = yield* Refusal.reading(directory.getUser(actor.id))
        return { role, user: view(standing, yield* Instant.now) }
      })
    })
  })
)
