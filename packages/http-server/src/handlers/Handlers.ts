/** The type of the layers in this folder: one group of the contract at work. */
import type { Access } from "@vpnmgr/api"
import type { Layer } from "effect"
import type { HttpApiGroup } from "effect/http-api"

/** The handlers of a group for people, over what they need. */
export type Handlers<Group extends string, Needs> = OpenHandlers<Group, Needs | Access.SignedIn>

/** The handlers of a group that is open to everybody. */
export type OpenHandlers<Group extends string, Needs> = Layer.Layer<
  HttpApiGroup.Service<"vpnmgr", Group>,
  never,
  Needs | Access.Problems
>
