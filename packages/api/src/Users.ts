/** Users, with what their groups grant them together and what is used of it (`/api/v1/users`). */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Id, Instant, Limits, SubscriptionList, User, Wire } from "@vpnmgr/core"
import { NewPassword, SignedIn } from "./Access.ts"
import { describe, ShownOnce } from "./Operation.ts"
import * as Page from "./Page.ts"
import * as Problem from "./Problem.ts"
import * as Usage from "./Usage.ts"
import * as Version from "./Version.ts"

/** What a user's groups grant together: per field the maximum, where null (no restriction) wins. */
export const AllowanceView = Wire.struct({
  ...Limits.limitFields,
  /** The group that gave each field; null without groups. */
  from: Wire.struct({
    maxTraffic: Schema.NullOr(Id.Uuid),
    maxSpeed: Schema.NullOr(Id.Uuid),
    trafficResetPeriod: Schema.NullOr(Id.Uuid)
  }),
  /** What an administrator should know, such as finite traffic that never resets. */
  warnings: Schema.Array(Schema.Struct({ code: Schema.Literal("traffic_never_resets"), detail: Schema.String }))
})

/** A user as it stands: its allowance, and what its subscriptions have drawn from it in the current window. */
export const UserView = Wire.struct({
  id: Id.Uuid,
  username: User.Username,
  role: User.Role,
  groupIds: Schema.Array(Id.Uuid),
  /** Who is disabled cannot sign in; its subscriptions go on being served. */
  isDisabled: Schema.Boolean,
  allowance: AllowanceView,
  /** Bytes, rounded up. */
  usedBytes: Wire.Bytes,
  /** Null: since the first byte. */
  windowStart: Schema.NullOr(Instant.Instant),
  /** When usage starts anew; null: never by itself. */
  windowEnd: Schema.NullOr(Instant.Instant),
  isOverLimit: Schema.Boolean,
  createdAt: Instant.Instant,
  updatedAt: Instant.Instant
})
export type UserView = typeof UserView.Type

/** Groups a user can be in at most. */
export const mostGroups = 100

const groupIds = Schema.Array(Id.Uuid).pipe(Schema.check(Schema.isMaxLength(mostGroups)))

export const NewUser = Wire.struct({
  username: User.Username,
  password: NewPassword,
  role: User.Role,
  groupIds: Schema.optionalKey(groupIds)
})

/** What is absent stays. */
export const UserPatch = Wire.struct({
  username: Schema.optionalKey(User.Username),
  role: Schema.optionalKey(User.Role),
  isDisabled: Schema.optionalKey(Schema.Boolean)
})

const query = {
  ...Page.query,
  role: Schema.optional(User.Role),
  group_id: Schema.optional(Id.Uuid.annotate({ description: "the members of this group" })),
  is_disabled: Schema.optional(Schema.Boolean),
  username: Schema.optional(User.Username.annotate({ description: "the one with this name, whatever its case" })),
  search: Schema.optional(
    SubscriptionList.Search.annotate({ description: "a part of the username, whatever its case" })
  )
}

/** Without a password one is made. */
export const PasswordReset = Wire.struct({ password: Schema.optionalKey(NewPassword) })

/** The password that was made, shown once; null when one was given. */
export const PasswordGiven = Wire.struct({ password: Schema.NullOr(Schema.String), endedSessions: Wire.Int4 })

const params = { id: Id.Uuid }

export class Users extends HttpApiGroup.make("users")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewUser,
      success: Version.of(UserView.pipe(HttpApiSchema.status(201))),
      error: Problem.changing
    }).annotateMerge(
      describe(
        "Create a user",
        "For superusers. The password (12 to 256 characters) is kept as argon2id and never shown."
      )
    ),
    HttpApiEndpoint.get("list", "/", {
      query,
      success: Page.of(User.User),
      error: Problem.reading
    }).annotateMerge(describe("List users", "For superusers. By id, ascending, without what they have used.")),
    HttpApiEndpoint.get("get", "/:id", { params, success: Version.of(UserView), error: Problem.reading }).annotateMerge(
      describe(
        "Get a user",
        "With its allowance (bytes, bit/s, ISO 8601 duration; null = no restriction), the group that gave each field, and the bytes used of it. An operator sees itself."
      )
    ),
    HttpApiEndpoint.get("usage", "/:id/usage", {
      params,
      query: Usage.ownerQuery,
      success: Usage.UsageView,
      error: [...Problem.reading, Problem.Invalid]
    }).annotateMerge(
      describe(
        "Get a user's usage",
        `What its subscriptions used while they were its own, those deleted or moved since among them: by day (UTC; the default), hour or node. An operator sees its own. ${Usage.bounds}`
      )
    ),
    HttpApiEndpoint.patch("change", "/:id", {
      params,
      payload: UserPatch,
      success: Version.of(UserView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Change a user",
        "For superusers. What is absent stays. Who is disabled is signed out at once and cannot sign in; its subscriptions go on being served. The last superuser that can sign in can be neither demoted nor disabled (422)."
      )
    ),
    HttpApiEndpoint.delete("remove", "/:id", { params, error: Problem.editing }).annotateMerge(
      describe(
        "Delete a user",
        "For superusers. 422 while it owns subscriptions: move or delete them first; and for the last superuser that can sign in. Its password is erased, its sessions end, its name is free; what was used stays counted."
      )
    ),
    HttpApiEndpoint.put("setGroups", "/:id/groups", {
      params,
      payload: Wire.struct({ groupIds }),
      success: Version.of(UserView),
      error: Problem.editing
    }).annotateMerge(
      describe("Replace a user's groups", "For superusers. Its allowance, and whether it is exhausted, follow at once.")
    ),
    HttpApiEndpoint.post("resetPassword", "/:id/password", {
      params,
      payload: PasswordReset,
      success: PasswordGiven,
      error: Problem.changing
    })
      .annotateMerge(
        describe(
          "Give a user another password",
          "For superusers: the one given (12 to 256 characters), or a random one that is shown once. Ends all sessions of the user."
        )
      )
      .annotate(ShownOnce, ["password"]),
    HttpApiEndpoint.post("reset", "/:id/reset", {
      params,
      success: Version.of(UserView),
      error: Problem.editing
    }).annotateMerge(
      describe(
        "Reset a user's usage",
        "For superusers. Starts the window of the user's allowance anew at this moment; what was reported for before stays before."
      )
    )
  )
  .middleware(SignedIn)
  .prefix("/api/v1/users")
  .annotateMerge(describe("Users", "People who sign in: superusers and operators.")) {}
