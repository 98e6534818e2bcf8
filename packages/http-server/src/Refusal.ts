/** What the core refuses, as problems of the contract. */
import { Problem } from "@vpnmgr/api"
import type { Failure, Transaction } from "@vpnmgr/core"
import { Effect } from "effect"

type Refused = Failure.NotFound | Failure.Forbidden | Failure.Invalid | Transaction.StoreError

/** Seconds after which it is worth to ask a store again that was away. */
const retryAfter = 2

/** The store is away or overloaded. */
export const unavailable = (detail = "The store cannot answer now; nothing was changed") =>
  new Problem.Unavailable({ detail, retry_after: retryAfter })

/** Nobody knows whether the change stands. */
const undecided =
  "The store was lost while the change was made final: it stands whole or not at all. Read it again, or send the same again under its Idempotency-Key"

const ofStore = ({ reason }: Transaction.StoreError) => {
  switch (reason._tag) {
    case "AlreadyExists":
      return new Problem.AlreadyExists({
        detail: `${reason.field} is taken`,
        errors: [{ field: reason.field, detail: "is taken" }]
      })
    case "Undecided":
      return unavailable(undecided)
    default:
      return unavailable()
  }
}

const stale = new Problem.PreconditionFailed({ detail: "It was changed meanwhile: read it again and decide anew" })

const explain = (failure: Refused) => {
  switch (failure._tag) {
    case "NotFound":
      return new Problem.NotFound({ detail: `There is no ${failure.noun.replaceAll("_", " ")} with this id` })
    case "Forbidden":
      return new Problem.Forbidden({ detail: failure.detail })
    case "Invalid":
      return new Problem.Invalid({
        detail: failure.detail,
        errors: [{ field: failure.field, detail: failure.detail }]
      })
    case "StoreError":
      return ofStore(failure)
  }
}

type Changing<E> =
  | ReturnType<typeof explain>
  | ([Extract<E, Failure.Stale>] extends [never] ? never : Problem.PreconditionFailed)

/** The failures of a change. One that looks at versions may be too late: its operation declares `Problem.editing`. */
export const changing = <A, E extends Refused | Failure.Stale, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, Changing<E>, R> =>
  Effect.mapError(effect, (failure): Changing<E> =>
    failure._tag === "Stale" ? (stale as Changing<E>) : explain(failure as Refused)
  )

/** The failures of a change for which a password is hashed: among problems that pass as they are. */
export const hashing = <A, E extends Refused | Problem.TooMany, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.mapError(effect, (failure: Refused | Problem.TooMany) => ("status" in failure ? failure : explain(failure)))

/** The failures of a read: nothing can be invalid or exist already. */
export const reading = <A, E extends Refused, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.catch((failure) => {
      const problem = explain(failure)
      return problem._tag === "Invalid" || problem._tag === "AlreadyExists" ? Effect.die(problem) : Effect.fail(problem)
    })
  )

/** The failures of a read whose span may be too long. */
export const verifying = <A, E extends Failure.Forbidden | Failure.Invalid | Transaction.StoreError, R>(
  effect: Effect.Effect<A, E, R>
) =>
  changing(effect).pipe(
    Effect.catch((problem) =>
      problem._tag === "AlreadyExists" || problem._tag === "NotFound" ? Effect.die(problem) : Effect.fail(problem)
    )
  )

/** The failures of a store alone. */
export const storing = <A, R>(effect: Effect.Effect<A, Transaction.StoreError, R>) =>
  effect.pipe(
    Effect.catch((failure) => {
      const problem = ofStore(failure)
      return problem._tag === "Unavailable" ? Effect.fail(problem) : Effect.die(problem)
    })
  )

/** The failures of a store, among problems that pass as they are. */
export const storeOnly = <A, E, R>(effect: Effect.Effect<A, E | Transaction.StoreError, R>) =>
  Effect.catchTag(effect, "StoreError", (failure) => storing(Effect.fail(failure as Transaction.StoreError)))

/** The failures of setting up: as a change's, and none of them is an invalid field. */
export const settingUp = <A, R>(
  effect: Effect.Effect<A, Refused | Problem.Forbidden | Problem.NotFound | Problem.TooMany, R>
) =>
  effect.pipe(
    Effect.catch((failure) => {
      const problem = "status" in failure ? failure : explain(failure)
      switch (problem._tag) {
        case "Forbidden":
        case "NotFound":
        case "AlreadyExists":
        case "TooMany":
        case "Unavailable":
          return Effect.fail(problem)
        default:
          return Effect.die(problem)
      }
    })
  )
