/** Signing in and out (`/api/v1/session`), and the one-time set-up of the first superuser (`/api/v1/setup`). */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Instant, User, Wire } from "@vpnmgr/core"
import { NewPassword, SignedIn } from "./Access.ts"
import { describe } from "./Operation.ts"
import * as Problem from "./Problem.ts"
import { Ended } from "./Sessions.ts"
import { UserView } from "./Users.ts"
import * as Version from "./Version.ts"

/** A token to send as `Authorization: Bearer`, good until `expires_at` or until somebody signs out with it. */
export const Grant = Wire.struct({ token: Schema.String, expiresAt: Instant.Instant, user: User.User })
export type Grant = typeof Grant.Type

/** Who is asking; over the server's local socket that is the system itself, which is no user. */
export const Me = Wire.struct({ role: User.Role, user: Schema.NullOr(UserView) })

export class Setup extends HttpApiGroup.make("setup")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: Wire.struct({
        secret: Schema.String.pipe(Schema.check(Schema.isMaxLength(200))),
        username: User.Username,
        password: NewPassword
      }),
      success: Version.of(User.User.pipe(HttpApiSchema.status(201))),
      error: [Problem.Forbidden, Problem.NotFound, Problem.AlreadyExists]
    }).annotateMerge(
      describe(
        "Create the first superuser",
        "With the one-time secret that the server printed at its first start. 403 for another secret, 404 once it was used."
      )
    )
  )
  .prefix("/api/v1/setup")
  .annotateMerge(describe("Set-up", "Once, right after the first start.")) {}

export class Session extends HttpApiGroup.make("session")
  .add(
    HttpApiEndpoint.get("me", "/", { success: Me, error: Problem.reading })
      .middleware(SignedIn)
      .annotateMerge(
        describe(
          "Get who is signed in",
          "With its allowance and the bytes used of it. Over the local socket: the system, which is no user."
        )
      ),
    HttpApiEndpoint.delete("signOut", "/", { error: Problem.reading })
      .middleware(SignedIn)
      .annotateMerge(
        describe(
          "Sign out",
          "Revokes the session; its token is refused from then on. 403 while acting for an operator."
        )
      ),
    HttpApiEndpoint.post("signIn", "/", {
      payload: Wire.struct({
        username: Wire.text(64),
        password: Wire.text(256)
      }),
      success: Grant.pipe(HttpApiSchema.status(201)),
      error: Problem.WrongCredentials
    }).annotateMerge(
      describe(
        "Sign in",
        "Answers a token. After three failures for a user name each further one makes it wait longer (429 with Retry-After, seconds)."
      )
    ),
    HttpApiEndpoint.post("renew", "/renew", { success: Grant, error: Problem.reading })
      .middleware(SignedIn)
      .annotateMerge(
        describe(
          "Renew the session",
          "Answers another token for the same session, good for an hour from now but never later than 7 days after the sign-in. The old token stays good until its own end. 403 while acting for an operator."
        )
      ),
    HttpApiEndpoint.put("changePassword", "/password", {
      payload: Wire.struct({ currentPassword: Wire.text(256), newPassword: NewPassword }),
      success: Ended,
      error: Problem.changing
    })
      .middleware(SignedIn)
      .annotateMerge(
        describe(
          "Change one's own password",
          "Ends every other session of the user. A wrong current password is 422 and makes the next try wait as a failed sign-in does (429). 403 while acting for an operator."
        )
      )
  )
  .prefix("/api/v1/session")
  .annotateMerge(describe("Session", "Signing in and out, and what concerns the one who is signed in.")) {}
