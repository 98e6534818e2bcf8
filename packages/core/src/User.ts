/** Someone who signs in, `superuser` or `operator`, in groups (seed vpn-manager, `User` and `Group`). */
import { Schema } from "effect"
import * as Id from "./Id.ts"
import { Instant } from "./Instant.ts"
import { limitFields } from "./Limits.ts"
import * as Wire from "./Wire.ts"

export const Role = Schema.Literals(["superuser", "operator"])
export type Role = typeof Role.Type

/** 1 to 64 of `A-Z a-z 0-9 . _ @ -`; unique whatever the case. */
export const Username = Schema.String.pipe(
  Schema.check(
    Schema.isPattern(/^[A-Za-z0-9._@-]{1,64}$/u, { message: "Expected 1 to 64 letters, digits or one of . _ @ -" })
  )
)

export const User = Wire.struct({
  id: Id.Uuid,
  username: Username,
  role: Role,
  groupIds: Schema.Array(Id.Uuid),
  /** Who is disabled cannot sign in, and its sessions are refused; its subscriptions go on being served. */
  isDisabled: Schema.Boolean,
  createdAt: Instant,
  updatedAt: Instant
})
export type User = typeof User.Type

/** A set of limits granted to its users; `null` = no restriction. */
export const Group = Wire.struct({
  id: Id.Uuid,
  name: Wire.text(200).pipe(Schema.check(Schema.isNonEmpty())),
  ...limitFields,
  createdAt: Instant,
  updatedAt: Instant
})
export type Group = typeof Group.Type
