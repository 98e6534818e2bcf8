/** Who asks a server of `Server.ts` through the typed client, and what their tests have in common. */
import { Client } from "@vpnmgr/api"
import { Effect, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Server from "./Server.ts"

/** The first superuser, with a client of its own. */
export const superuser = Effect.gen(function* () {
  const token = Redacted.make(yield* Server.signedIn)
  return yield* Client.make({ baseUrl: yield* Server.baseUrl, token })
}).pipe(Effect.provide(FetchHttpClient.layer))

let count = 0

/** An operator with a client of its own. */
export const anOperator = Effect.gen(function* () {
  const root = yield* superuser
  const [username, password] = [`operator-${++count}`, "twelve chars and more"]
  const user = yield* root.users.create({ payload: { username, password, role: "operator" } })
  const baseUrl = yield* Server.baseUrl
  const anonymous = yield* Client.make({ baseUrl, token: null })
  const { token } = yield* anonymous.session.signIn({ payload: { username, password } })
  return { user, client: yield* Client.make({ baseUrl, token: Redacted.make(token) }) }
}).pipe(Effect.provide(FetchHttpClient.layer))

/** An agent that signs in with a key. */
export const anAgent = (key: string) =>
  Effect.flatMap(Server.baseUrl, (baseUrl) => Client.makeNode({ baseUrl, key: Redacted.make(key) })).pipe(
    Effect.provide(FetchHttpClient.layer)
  )

/** What is chosen of an inbound, per protocol. */
export const shadowsocks = { protocol: "shadowsocks" } as const
export const vless = { protocol: "vless", serverName: "www.example.com" } as const
export const hysteria2 = { protocol: "hysteria2", serverName: "hy.example.com" } as const

/** The field that a problem names first. */
export const fieldOf = (problem: unknown) =>
  (problem as { readonly errors?: ReadonlyArray<{ readonly field: string }> }).errors?.[0]?.field
