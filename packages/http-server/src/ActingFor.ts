/**
 * A superuser, or the system, acting for an operator: what may be seen and done is the operator's, so nothing more than
 * the operator could do itself, and the audit names both.
 */
import { Access, Problem } from "@vpnmgr/api"
import { Actor, type Transaction, type User, UserStore } from "@vpnmgr/core"
import { Context, Effect, Layer } from "effect"

const forbidden = new Problem.Forbidden({ detail: "Only a superuser may act for an operator" })

const notOneself = new Problem.Forbidden({
  detail: "This is about oneself: it cannot be done while acting for another"
})

const impossible = (detail: string) => new Problem.Invalid({ detail, errors: [{ field: Access.actForHeader, detail }] })

const objection = (user: User.User | null): Problem.Invalid | undefined =>
  user === null
    ? impossible("There is no such user")
    : user.role !== "operator"
      ? impossible("Expected an operator: a superuser acts for itself")
      : user.isDisabled
        ? impossible("This user is disabled")
        : undefined

export class ActingFor extends Context.Service<
  ActingFor,
  {
    /** Who acts when `actor` names the user it acts for. */
    readonly become: (
      actor: Actor.ActorShape,
      userId: string
    ) => Effect.Effect<Actor.ActorShape, Problem.Forbidden | Problem.Invalid | Transaction.StoreError>
  }
>()("@vpnmgr/http-server/ActingFor") {
  static readonly layer = Layer.effect(
    ActingFor,
    Effect.map(UserStore.UserStore, (users) =>
      ActingFor.of({
        become: Effect.fn("ActingFor.become")(function* (actor: Actor.ActorShape, userId: string) {
          if (actor.role !== "superuser") return yield* forbidden
          const refused = objection(yield* users.user(userId))
          return refused === undefined ? { id: userId, role: "operator", by: actor.id } : yield* refused
        })
      })
    )
  )
}

/** Fails while somebody acts for another: for what concerns the one who is signed in. */
export const refused = Effect.flatMap(Actor.Actor, ({ by }) => (by === undefined ? Effect.void : notOneself))
