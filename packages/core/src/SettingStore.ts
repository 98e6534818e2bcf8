/** Small facts a store keeps about itself: its generation, the set-up secret's hash, the canary, signing keys. */
import { Context, type Effect } from "effect"
import type { StoreError } from "./Transaction.ts"

export class SettingStore extends Context.Service<
  SettingStore,
  {
    /** A nonce made with the store; a restore makes a new one. Nodes take everything anew when it changes. */
    readonly generation: Effect.Effect<string, StoreError>
    readonly get: (key: string) => Effect.Effect<string | null, StoreError>
    readonly set: (key: string, value: string) => Effect.Effect<void, StoreError>
    /** Sets a value where there is none, and answers the one that stands. */
    readonly claim: (key: string, value: string) => Effect.Effect<string, StoreError>
    /** Removes a value; true for the one caller that did. */
    readonly remove: (key: string) => Effect.Effect<boolean, StoreError>
  }
>()("@vpnmgr/core/SettingStore") {}
