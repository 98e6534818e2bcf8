/** The control API of a running sing-box (`clash_api`), as far as the driver uses it. */
import { SingBoxServer } from "@vpnmgr/core"
import { Effect, Schema } from "effect"
import { describe, type Failure, unreachable } from "./Failure.ts"

/** How long one answer may take, ms. */
const timeout = 10_000

const Proxies = Schema.fromJsonString(
  Schema.Struct({
    proxies: Schema.Record(Schema.String, Schema.Struct({ now: Schema.optionalKey(Schema.String) }))
  })
)

const Connections = Schema.fromJsonString(
  Schema.Struct({
    connections: Schema.NullOr(
      Schema.Array(Schema.Struct({ id: Schema.String, chains: Schema.NullOr(Schema.Array(Schema.String)) }))
    )
  })
)

export interface Address {
  /** `127.0.0.1:port`. */
  readonly control: string
  readonly secret: string
}

/** An open connection and the outbounds it goes through. */
export interface Connection {
  readonly id: string
  readonly chains: ReadonlyArray<string>
}

const call = ({ control, secret }: Address, method: string, path: string, body?: object) =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`http://${control}${path}`, {
        method,
        headers: { authorization: `Bearer ${secret}` },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      return { status: response.status, text: await response.text() }
    },
    catch: (cause) => unreachable(`the control API does not answer: ${describe(cause)}`)
  })

const demand = (address: Address, method: string, path: string, body?: object): Effect.Effect<string, Failure> =>
  call(address, method, path, body).pipe(
    Effect.flatMap(({ status, text }) =>
      status < 300
        ? Effect.succeed(text)
        : Effect.fail(unreachable(`the control API answers ${status} to ${method} ${path}: ${text.slice(0, 200)}`))
    )
  )

const decoded = <A>(schema: Schema.Codec<A, string>, text: string) =>
  Schema.decodeEffect(schema)(text).pipe(
    Effect.mapError((issue) => unreachable(`the control API answers something else: ${describe(issue)}`))
  )

/** True when the process that answers is the run of this epoch. */
export const holds = (address: Address, epoch: string): Effect.Effect<boolean, Failure> =>
  call(address, "GET", `/proxies/${SingBoxServer.epochTag(epoch)}`).pipe(Effect.map(({ status }) => status === 200))

/** What each selector has chosen. */
export const choices = (address: Address): Effect.Effect<ReadonlyMap<string, string>, Failure> =>
  demand(address, "GET", "/proxies").pipe(
    Effect.flatMap((text) => decoded(Proxies, text)),
    Effect.map(
      ({ proxies }) =>
        new Map(Object.entries(proxies).flatMap(([tag, { now }]) => (now === undefined ? [] : [[tag, now]])))
    )
  )

export const choose = (address: Address, selector: string, outbound: string): Effect.Effect<void, Failure> =>
  Effect.asVoid(demand(address, "PUT", `/proxies/${encodeURIComponent(selector)}`, { name: outbound }))

export const connections = (address: Address): Effect.Effect<ReadonlyArray<Connection>, Failure> =>
  demand(address, "GET", "/connections").pipe(
    Effect.flatMap((text) => decoded(Connections, text)),
    Effect.map(({ connections }) => (connections ?? []).map(({ chains, id }) => ({ id, chains: chains ?? [] })))
  )

/** Closes one connection; one that ended by itself meanwhile is closed too. */
export const close = (address: Address, id: string): Effect.Effect<void, Failure> =>
  Effect.asVoid(call(address, "DELETE", `/connections/${encodeURIComponent(id)}`))

export const closeAll = (address: Address): Effect.Effect<void, Failure> =>
  Effect.asVoid(demand(address, "DELETE", "/connections"))

/** Sets the clash mode, which rules may ask for. */
export const setMode = (address: Address, mode: string): Effect.Effect<void, Failure> =>
  Effect.asVoid(demand(address, "PATCH", "/configs", { mode }))
