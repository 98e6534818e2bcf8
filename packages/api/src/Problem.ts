/**
 * Everything that is answered instead of what was asked for: RFC 9457, `application/problem+json`.
 *
 * `code` is stable and for programs, `detail` is for people, `type` is a path on the same server that explains the
 * code. Never in one: a stack, SQL, a secret, an address.
 */
import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"

/** Which part of the request was wrong, in wire names (`settings.server_name`), and why. */
export const FieldError = Schema.Struct({ field: Schema.String, detail: Schema.String })
export type FieldError = typeof FieldError.Type

const fields = <const Code extends string>(code: Code) => ({
  code: Schema.tag(code),
  detail: Schema.String,
  errors: Schema.optionalKey(Schema.Array(FieldError))
})

const declare = <const Code extends string, const Status extends number>(
  code: Code,
  status: Status,
  title: string
) => ({
  type: `/docs/problems/${code}` as const,
  status,
  title
})

/** 400: the request does not have the shape the contract says; `errors` names the fields. */
export class Malformed extends HttpApiError.Problem<Malformed>()(
  "Malformed",
  declare("malformed", 400, "The request is malformed"),
  fields("malformed")
) {}

/** 400: an agent and a server whose protocol versions do not go together; `detail` says which one to upgrade. */
export class UnsupportedProtocol extends HttpApiError.Problem<UnsupportedProtocol>()(
  "UnsupportedProtocol",
  declare("unsupported_protocol", 400, "The protocol versions do not go together"),
  fields("unsupported_protocol")
) {}

/** 401: no token, or one that is unknown, expired or revoked. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  declare("unauthorized", 401, "Sign in first"),
  fields("unauthorized")
) {}

/** 401: the user name and the password do not go together. */
export class WrongCredentials extends HttpApiError.Problem<WrongCredentials>()(
  "WrongCredentials",
  declare("wrong_credentials", 401, "The user name or the password is wrong"),
  fields("wrong_credentials")
) {}

/** 403: the actor's role does not allow it. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  declare("forbidden", 403, "This is not allowed"),
  fields("forbidden")
) {}

/** 403: the subscription is suspended, so it has no config. */
export class Suspended extends HttpApiError.Problem<Suspended>()(
  "Suspended",
  declare("suspended", 403, "The subscription is suspended"),
  fields("suspended")
) {}

/** 404: there is no such thing, or none the actor may know of. */
export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  declare("not_found", 404, "There is nothing here"),
  fields("not_found")
) {}

/** 405: the address takes other methods; `Allow` names them. */
export class MethodNotAllowed extends HttpApiError.Problem<MethodNotAllowed>()(
  "MethodNotAllowed",
  declare("method_not_allowed", 405, "The address takes other methods"),
  fields("method_not_allowed")
) {}

/** 408: the request did not arrive in time. */
export class TooSlow extends HttpApiError.Problem<TooSlow>()(
  "TooSlow",
  declare("too_slow", 408, "The request took too long to arrive"),
  fields("too_slow")
) {}

/** 409: a name, port or address that must be unique is taken; `errors` names the field. */
export class AlreadyExists extends HttpApiError.Problem<AlreadyExists>()(
  "AlreadyExists",
  declare("already_exists", 409, "It exists already"),
  fields("already_exists")
) {}

/** 409: the batch's (spool, seq) was applied with other contents; what came is kept aside and not counted. */
export class BatchConflict extends HttpApiError.Problem<BatchConflict>()(
  "BatchConflict",
  declare("batch_conflict", 409, "Another batch has this number"),
  fields("batch_conflict")
) {}

/** 409: a request with the same `Idempotency-Key` has not been answered yet; `Retry-After` says when to ask again. */
export class RequestInProgress extends HttpApiError.Problem<RequestInProgress>()(
  "RequestInProgress",
  declare("request_in_progress", 409, "A request with this key is in progress"),
  {
    ...fields("request_in_progress"),
    /** Seconds. */
    retry_after: Schema.Int
  }
) {}

/** 412: it was changed since it was read: its version is none of those in `If-Match`. */
export class PreconditionFailed extends HttpApiError.Problem<PreconditionFailed>()(
  "PreconditionFailed",
  declare("precondition_failed", 412, "It was changed meanwhile"),
  fields("precondition_failed")
) {}

/**
 * 409: the batch's number is below what its spool once named as its lowest, so the spool was brought back from a copy;
 * what came is kept aside. The agent gives the spool a new id and sends again what it counted since.
 */
export class SpoolRewound extends HttpApiError.Problem<SpoolRewound>()(
  "SpoolRewound",
  declare("spool_rewound", 409, "The spool went back in time"),
  fields("spool_rewound")
) {}

/** 413: the body is larger than allowed. */
export class TooLarge extends HttpApiError.Problem<TooLarge>()(
  "TooLarge",
  declare("too_large", 413, "The body is too large"),
  fields("too_large")
) {}

/** 415: the body is neither JSON nor, where that is allowed, gzip of it. */
export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  declare("unsupported_media_type", 415, "The body is not JSON"),
  fields("unsupported_media_type")
) {}

/** 422: well-formed, but not possible; `errors` names the field. */
export class Invalid extends HttpApiError.Problem<Invalid>()(
  "Invalid",
  declare("invalid", 422, "This is not possible"),
  fields("invalid")
) {}

/** 422: another request was answered under the same `Idempotency-Key`. */
export class IdempotencyKeyReused extends HttpApiError.Problem<IdempotencyKeyReused>()(
  "IdempotencyKeyReused",
  declare("idempotency_key_reused", 422, "The key belongs to another request"),
  fields("idempotency_key_reused")
) {}

/** 429: too many of these at once; `Retry-After` says for how many seconds to wait. */
export class TooMany extends HttpApiError.Problem<TooMany>()("TooMany", declare("too_many", 429, "Too many requests"), {
  ...fields("too_many"),
  /** Seconds. */
  retry_after: Schema.Int
}) {}

/** 431: the address and the headers are larger than allowed. */
export class HeadersTooLarge extends HttpApiError.Problem<HeadersTooLarge>()(
  "HeadersTooLarge",
  declare("headers_too_large", 431, "The headers are too large"),
  fields("headers_too_large")
) {}

/** 500: a defect of the server; the log has more, the answer has not. */
export class Internal extends HttpApiError.Problem<Internal>()(
  "Internal",
  declare("internal", 500, "The server failed"),
  fields("internal")
) {}

/**
 * 503: the store is away or overloaded, or the request took too long. `detail` says that nothing was changed, unless the
 * store was lost, or the time was up, while the change was made final.
 */
export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  declare("unavailable", 503, "The server cannot answer now"),
  {
    ...fields("unavailable"),
    /** Seconds. */
    retry_after: Schema.Int
  }
) {}

/** What an operation that only reads may answer. */
export const reading = [Forbidden, NotFound] as const

/** What an operation that changes something may answer. */
export const changing = [Forbidden, NotFound, AlreadyExists, Invalid] as const

/** What an operation may answer that changes or removes something with a version: it honours `If-Match`. */
export const editing = [...changing, PreconditionFailed] as const

/** What a POST with an `Idempotency-Key` may answer. */
export const repeating = [Malformed, RequestInProgress, IdempotencyKeyReused] as const

/** Every code, for the pages that `type` points to. */
export const all = [
  Malformed,
  UnsupportedProtocol,
  Unauthorized,
  WrongCredentials,
  Forbidden,
  Suspended,
  NotFound,
  MethodNotAllowed,
  TooSlow,
  AlreadyExists,
  BatchConflict,
  RequestInProgress,
  PreconditionFailed,
  SpoolRewound,
  TooLarge,
  UnsupportedMediaType,
  Invalid,
  IdempotencyKeyReused,
  TooMany,
  HeadersTooLarge,
  Internal,
  Unavailable
] as const

/** Any of them. */
export type Problem = (typeof all)[number]["Type"]
