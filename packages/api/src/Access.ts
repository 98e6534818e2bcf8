/** Who may ask, and what everybody may be answered: the middlewares of the contract, without what they do. */
import { Context, Schema } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import type { Actor, Enforcer } from "@vpnmgr/core"
import * as Problem from "./Problem.ts"

/** Turns whatever goes wrong into a problem. On every operation. */
export class Problems extends HttpApiMiddleware.Service<Problems>()("@vpnmgr/api/Problems", {
  error: [
    Problem.Malformed,
    Problem.TooLarge,
    Problem.UnsupportedMediaType,
    Problem.TooMany,
    Problem.Internal,
    Problem.Unavailable
  ]
}) {}

/** The session a request was made in; null over the local socket, which needs none. */
export class CurrentSession extends Context.Service<CurrentSession, { readonly id: string | null }>()(
  "@vpnmgr/api/CurrentSession"
) {}

/** The header in which a superuser names the operator it acts for, by the user's id. */
export const actForHeader = "vpnmgr-act-for"

/** The header under which a POST may be sent again without being done again. */
export const idempotencyKeyHeader = "idempotency-key"

/** Whether an operation takes an idempotency key: every POST of a person but those about the session itself. */
export const takesKey = (method: string, path: string): boolean =>
  method.toUpperCase() === "POST" && path.startsWith("/api/v1/") && !/^\/api\/v1\/(session|setup)(\/|$)/.test(path)

/** The header that says of an answer that it was given before: `true`. */
export const replayedHeader = "idempotency-replayed"

/** A person's token from `POST /api/v1/session`; a superuser's may come with `actForHeader`. */
export class SignedIn extends HttpApiMiddleware.Service<
  SignedIn,
  { provides: Actor.Actor | CurrentSession; requires: never }
>()("@vpnmgr/api/SignedIn", {
  security: { token: HttpApiSecurity.bearer },
  error: [
    Problem.Unauthorized,
    Problem.Forbidden,
    Problem.Invalid,
    ...Problem.repeating,
    Problem.TooMany,
    Problem.Unavailable
  ]
}) {}

/** The node a request comes from, by its token, and the version of the node protocol its agent speaks. */
export class CurrentNode extends Context.Service<CurrentNode, Enforcer.Origin & { readonly protocolVersion: string }>()(
  "@vpnmgr/api/CurrentNode"
) {}

/** An agent's key, and a protocol version that goes with the server's. */
export class NodeSignedIn extends HttpApiMiddleware.Service<NodeSignedIn, { provides: CurrentNode; requires: never }>()(
  "@vpnmgr/api/NodeSignedIn",
  {
    security: { key: HttpApiSecurity.bearer },
    error: [Problem.Unauthorized, Problem.UnsupportedProtocol, Problem.TooMany, Problem.Unavailable]
  }
) {}

/** The header in which both sides of the node protocol name their version, such as `1.0`. */
export const protocolHeader = "vpnmgr-protocol"

/** A password as it is chosen: 12 to 256 characters. */
export const NewPassword = Schema.String.pipe(
  Schema.check(Schema.isMinLength(12, { message: "Expected at least 12 characters" })),
  Schema.check(Schema.isMaxLength(256, { message: "Expected at most 256 characters" }))
)
