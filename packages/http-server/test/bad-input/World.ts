/** What bad requests are aimed at: one of each thing, and tokens that are good for nothing. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import * as Server from "../Server.ts"

const { ask } = Server

export interface World {
  /** Good tokens and keys. */
  readonly root: string
  readonly operator: string
  readonly key: string
  readonly group: string
  readonly user: string
  readonly subscription: string
  readonly node: string
  readonly inbound: string
  /** Tokens that were good, or look good. */
  readonly signedOut: string
  readonly revokedKey: string
}

const password = "a long password"

/** Signs a person in. */
export const signIn = (username: string) =>
  Effect.map(ask("POST /api/v1/session", { body: { username, password } }), ({ json }) => json["token"] as string)

/** Makes everything there is to aim at. */
export const make = Effect.gen(function* () {
  const root = yield* Server.signedIn
  const id = (path: string, body: unknown) =>
    Effect.map(ask(`POST /api/v1/${path}`, { token: root, body }), ({ json, status, text }) => {
      assert.strictEqual(status, 201, text)
      return json["id"] as string
    })
  const group = yield* id("groups", { name: "all" })
  const user = yield* id("users", { username: "opal", password, role: "operator", group_ids: [group] })
  const subscription = yield* id("subscriptions", { title: "kept", owner_id: user, max_traffic: 1 })
  const node = yield* id("nodes", { description: "kept" })
  const settings = { protocol: "shadowsocks" }
  const inbound = yield* id("inbounds", { node_id: node, host: "a.example", port: 8443, settings })
  const issue = ask(`POST /api/v1/nodes/${node}/tokens`, { token: root })
  const key = (yield* issue).json["key"] as string
  const revoked = (yield* issue).json
  yield* ask(`POST /api/v1/node-tokens/${revoked["id"]}/revoke`, { token: root })
  const operator = yield* signIn("opal")
  const signedOut = yield* signIn("opal")
  yield* ask("DELETE /api/v1/session", { token: signedOut })
  const revokedKey = revoked["key"] as string
  return { root, operator, key, group, user, subscription, node, inbound, signedOut, revokedKey } satisfies World
})

/** One bad request and what it must answer. `field` is the first one named. */
export interface Row {
  readonly name: string
  readonly route: string
  readonly asking: Server.Asking
  readonly status: number
  readonly code: string
  readonly field?: string
}
