/** A server on a loopback socket over memory stores, and a person who asks it with `fetch`. */
import { NodeHttpServer } from "@effect/platform-node"
import { ControlPlane, Grain, MemoryStores, Vault } from "@vpnmgr/core"
import { HttpServer, Jobs, Listening, Policy, Setup } from "@vpnmgr/http-server"
import type * as http from "node:http"
import { Context, Effect, Layer, Logger, Redacted, References, Schema, Tracer } from "effect"
import { HttpServer as Listener } from "effect/http"

/** Everything that was logged, as text. */
export class Log extends Context.Service<Log, { readonly lines: Array<string> }>()("test/Log") {}

const lines: Array<string> = []
const log = Layer.mergeAll(
  Layer.succeed(Log, { lines }),
  Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])
)

/** Every span that was opened. */
export const spans: Array<Tracer.NativeSpan> = []

const tracer = Layer.succeed(
  Tracer.Tracer,
  Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
)

const stores = Layer.mergeAll(MemoryStores.layer, Vault.Vault.layer(Redacted.make(new Uint8Array(32).fill(7))))

/** What every listener of a process shares. */
export const services = HttpServer.services.pipe(Layer.provideMerge(ControlPlane.layer), Layer.provideMerge(stores))

/** What apps are told of where to find help. */
export const pages = { supportUrl: "https://help.example.org/", profileWebPageUrl: "https://vpn.example.org/me" }

/** What a test bounds otherwise. */
export interface Bounds extends Partial<Policy.Policy> {
  /** Milliseconds; one second. */
  readonly grain?: number
  /** True where nothing should run by itself. */
  readonly isQuiet?: boolean
}

/** Windows in whole seconds, so that tests see them turn; few polls at once, so that they see them refused. */
const few = { polls: 3, exports: 2, exportIdle: 1500 }

const bounds = ({ grain = 1000, isQuiet: _, ...others }: Bounds) =>
  Layer.mergeAll(
    Layer.succeed(Grain.Grain, grain),
    Layer.effect(
      Policy.Policy,
      Effect.map(Policy.Policy, (policy) => ({ ...policy, ...pages, ...few, ...others }))
    )
  )

/** A free port on the loopback. */
const socketOf = (server: http.Server) => NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })

/** The same, with the bounds that hold by default. */
export const socket = NodeHttpServer.layer(() => Listening.createServer(), { host: "127.0.0.1", port: 0 })

const jobs: Layer.Layer<never, never, Layer.Services<typeof Jobs.layer>> = Jobs.layer

/** Listens on a free port; the address is in `HttpServer` of `effect/http`. `instead` replaces services of the core. */
export const layer = <Replaced extends Layer.Success<typeof services>>(
  options: HttpServer.Options,
  instead: Layer.Layer<Replaced, never, Layer.Success<typeof services>> | Layer.Layer<never> = Layer.empty,
  others: Bounds = {},
  listening?: Listening.Bounds
) =>
  Layer.unwrap(
    Effect.sync(() => {
      const server = Listening.createServer(null, listening)
      return HttpServer.serve({ server, ...options }).pipe(
        Layer.provide(instead),
        Layer.provideMerge(others.isQuiet === true ? Layer.empty : jobs),
        Layer.provideMerge(services),
        Layer.provideMerge(socketOf(server)),
        Layer.provide(bounds(others)),
        Layer.provideMerge(log),
        Layer.provideMerge(tracer),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Debug"))
      )
    })
  )

export interface Asking {
  readonly token?: string | undefined
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

const Json = Schema.Record(Schema.String, Schema.Any)

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body, when it is a JSON object; else empty. */
  readonly json: typeof Json.Type
}

export const baseUrl = Effect.map(Listener.HttpServer, ({ address }) =>
  "port" in address ? `http://127.0.0.1:${address.port}` : ""
)

/** Asks with a JSON body, a token, headers. */
export const ask = Effect.fnUntraced(function* (route: string, { token, body, headers = {} }: Asking = {}) {
  const [method = "GET", path = "/"] = route.split(" ")
  const isRaw = typeof body === "string" || body instanceof Uint8Array
  const url = `${yield* baseUrl}${path}`
  return yield* Effect.promise(async (signal): Promise<Answered> => {
    const response = await fetch(url, {
      method,
      signal,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) })
    })
    const text = await response.text()
    const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "") && text.startsWith("{")
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} }
  })
})

export const superuser = { username: "ada", password: "correct horse battery" }

/** Sets the first superuser up where there is none, and signs in. */
export const signedIn = Effect.gen(function* () {
  const secret = yield* Effect.flatMap(Setup.Setup, ({ offer }) => offer)
  if (secret !== null) yield* ask("POST /api/v1/setup", { body: { secret, ...superuser } })
  const { json } = yield* ask("POST /api/v1/session", { body: superuser })
  return json["token"] as string
})
