/** The middlewares of the contract, at work: problems, people's tokens, agents' keys. */
import { Access, NodeProtocol, Problem } from "@vpnmgr/api"
import { Actor, Id, type IdempotencyStore, Inventory, NodeState, type Transaction } from "@vpnmgr/core"
import { Effect, Layer, Redacted } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { ActingFor } from "./ActingFor.ts"
import * as Answer from "./Answer.ts"
import * as IfMatch from "./IfMatch.ts"
import { Policy } from "./Policy.ts"
import { Rates } from "./Rates.ts"
import * as Refusal from "./Refusal.ts"
import * as Repeated from "./Repeated.ts"
import * as Requests from "./Requests.ts"
import { SignIn } from "./SignIn.ts"
import * as SoundBody from "./SoundBody.ts"

const versioned = HttpServerResponse.setHeader(Access.protocolHeader, NodeState.protocolVersion)

/** A change may be made final at the very moment at which its time is up. */
const tooSlow = (method: string) =>
  method === "GET"
    ? Refusal.unavailable("The request took too long")
    : Refusal.unavailable(
        "The request took too long, and what it asked for may have been done: read it again, or send the same again under its Idempotency-Key"
      )

/** Answers every failure with its problem, ends what takes too long, and names the span after the route's template. */
const problems = Layer.effect(
  Access.Problems,
  Effect.map(Policy, ({ requestTimeout }) =>
    Access.Problems.of((handler, { endpoint }) => {
      const wait = endpoint.path === "/node/v1/state" ? NodeProtocol.longestWait * 1000 : 0
      const isForNodes = endpoint.path.startsWith("/node/")
      const sound = endpoint.middlewares.has(Access.SignedIn) || isForNodes ? Effect.void : SoundBody.required(endpoint)
      const inside = Effect.andThen(sound, IfMatch.expecting(handler, endpoint))
      const bounded = Effect.timeoutOrElse(Effect.catchCause(inside, Answer.ofCause), {
        duration: requestTimeout + wait,
        orElse: () => Answer.problem(tooSlow(endpoint.method))
      })
      const route = `${endpoint.method} ${endpoint.path}`
      const answered = Effect.andThen(Requests.isOf(endpoint.path), Effect.flatMap(bounded, Answer.dressed))
      return Effect.withSpan(isForNodes ? Effect.map(answered, versioned) : answered, route, { kind: "server" })
    })
  )
)

const anonymous = new Problem.Unauthorized({ detail: "Expected a token that is known, not expired and not revoked" })

/** Says who a token belongs to; over the local socket, without one, the system itself. Then, for whom they act. */
const signedIn = Layer.effect(
  Access.SignedIn,
  Effect.gen(function* () {
    const signIn = yield* SignIn
    const actingFor = yield* ActingFor
    const once = yield* Repeated.make
    const rates = yield* Rates
    const identify = Effect.fnUntraced(function* (token: string) {
      if (token === "") return (yield* Requests.LocalListener) ? { actor: Actor.system, sessionId: null } : null
      return yield* signIn.identify(token)
    })
    return Access.SignedIn.of({
      token: Effect.fnUntraced(function* (handler, { credential, endpoint }) {
        const identity = yield* Refusal.storing(identify(Redacted.value(credential)))
        if (identity === null) return yield* anonymous
        if (identity.actor.id !== Id.system) yield* rates.count(identity.actor.id)
        yield* SoundBody.required(endpoint)
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        const named = headers[Access.actForHeader]
        const actor =
          named === undefined ? identity.actor : yield* Refusal.storeOnly(actingFor.become(identity.actor, named))
        return yield* Refusal.storeOnly(once(handler, endpoint, actor)).pipe(
          Effect.provideService(Actor.Actor, actor),
          Effect.provideService(Access.CurrentSession, { id: identity.sessionId })
        )
      })
    })
  })
)

const stranger = new Problem.Unauthorized({ detail: "Expected a node's key that is not revoked" })

const unsupported = (detail: string) => new Problem.UnsupportedProtocol({ detail })

/** Checks the version an agent names: the same major, at most one minor apart. Says which side to upgrade. */
export const checkProtocol = (named: string | undefined) => {
  const parsed = /^(\d{1,4})\.(\d{1,4})$/.exec(named ?? "")
  if (parsed === null)
    return unsupported(`Expected the header ${Access.protocolHeader}, such as ${NodeState.protocolVersion}`)
  const [major, minor] = NodeState.protocolVersion.split(".").map(Number) as [number, number]
  const difference = Number(parsed[1]) - major || Math.trunc((Number(parsed[2]) - minor) / 2)
  if (difference === 0) return undefined
  const upgrade = difference < 0 ? "upgrade the agent" : "upgrade the server"
  return unsupported(`The agent speaks ${named}, the server ${NodeState.protocolVersion}: ${upgrade}`)
}

/** Says which node a key belongs to. */
const nodeSignedIn = Layer.effect(
  Access.NodeSignedIn,
  Effect.gen(function* () {
    const inventory = yield* Inventory.Inventory
    const rates = yield* Rates
    return Access.NodeSignedIn.of({
      key: Effect.fnUntraced(function* (handler, { credential }) {
        const request = yield* HttpServerRequest.HttpServerRequest
        const token = yield* Refusal.storing(inventory.signIn(Redacted.value(credential)))
        if (token === null) return yield* stranger
        yield* rates.count(token.id)
        const protocolVersion = request.headers[Access.protocolHeader] ?? ""
        const objection = checkProtocol(protocolVersion)
        if (objection !== undefined) return yield* objection
        const { id: tokenId, nodeId } = token
        return yield* Effect.provideService(handler, Access.CurrentNode, { nodeId, tokenId, protocolVersion })
      })
    })
  })
)

/** All of them. */
export const layer: Layer.Layer<
  Access.Problems | Access.SignedIn | Access.NodeSignedIn,
  never,
  SignIn | ActingFor | Rates | Inventory.Inventory | IdempotencyStore.IdempotencyStore | Transaction.Transaction
> = Layer.mergeAll(problems, signedIn, nodeSignedIn)
