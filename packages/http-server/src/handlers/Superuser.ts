/** For what the core leaves to its caller: only superusers pass. */
import { Problem } from "@vpnmgr/api"
import { Actor } from "@vpnmgr/core"
import { Effect } from "effect"

const forbidden = new Problem.Forbidden({ detail: "Only a superuser may do this" })

/** Fails unless the actor is a superuser. */
export const required = Effect.flatMap(Actor.Actor, ({ role }) =>
  role === "superuser" ? Effect.void : Effect.fail(forbidden)
)
