/**
 * The way to the server: over the socket in its data directory, where requests act as the system, or over the network
 * with a token. Where no server runs but its store is at hand, the command is the server for as long as it takes.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Access, Client } from "@vpnmgr/api"
import type { Scope } from "effect"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import * as fs from "node:fs"
import * as path from "node:path"
import { failed } from "../Failed.ts"
import type { Failed } from "../Failed.ts"
import { ServerUrl, TokenFile } from "../GlobalFlags.ts"
import * as Load from "../settings/Load.ts"
import { isLoopback } from "../settings/ServerSettings.ts"
import type { ServerSettings } from "../settings/ServerSettings.ts"
import { answers, readNote, socketOf } from "./RunningServer.ts"
import * as Sessions from "./Sessions.ts"

/** Where a command speaks to, with the base of the links it prints. */
export interface Connection {
  readonly client: Client.Client["Service"]
  /** How the server is reached by others, for printed links. */
  readonly publicUrl: string
  /** By which way. */
  readonly reached: "socket" | "network" | "store"
}

/** Headers that go with every request of whoever runs under it. */
export const Sending = Context.Reference<Readonly<Record<string, string>>>("@vpnmgr/cli/Sending", {
  defaultValue: () => ({})
})

/** The header that names the operator a superuser acts for. */
export const { actForHeader } = Access

/** Makes the contract's client over a way to send requests, with the headers of `Sending`. */
const clientOver = (http: HttpClient.HttpClient, baseUrl: string, token: Redacted.Redacted | null) =>
  Client.make({ baseUrl, token }).pipe(
    Effect.provideService(
      HttpClient.HttpClient,
      HttpClient.mapRequestEffect(http, (request) =>
        Effect.map(Sending, (headers) => HttpClientRequest.setHeaders(request, headers))
      )
    )
  )

/** The `--url` to speak to, checked: a password must not cross the network in the clear. */
export const remoteUrl = Effect.gen(function* () {
  const given = Option.getOrElse(yield* ServerUrl, () => process.env["VPNMGR_URL"])
  if (given === undefined) return null
  const url = URL.parse(given)
  if (url === null || !/^https?:$/.test(url.protocol)) return yield* failed(`${given}: expected https://…`)
  if (url.protocol === "http:" && !isLoopback(url.hostname.replace(/^\[|\]$/g, "")))
    return yield* failed(`${given}: a password or token would travel in the clear; use https://`)
  return url.href.replace(/\/+$/, "")
})

const readToken = (path: string) =>
  Effect.try({
    try: () => Redacted.make(fs.readFileSync(path, "utf8").trim()),
    catch: () => failed(`${path}: the token file cannot be read`)
  })

const tokenFor = Effect.fnUntraced(function* (url: string) {
  const file = Option.getOrUndefined(yield* TokenFile)
  const { VPNMGR_TOKEN: token, VPNMGR_TOKEN_FILE: named } = process.env
  if (file !== undefined) return yield* readToken(file)
  if (token !== undefined) return Redacted.make(token)
  return yield* named === undefined ? Sessions.tokenFor(url) : readToken(named)
})

/** Connects to a server over the network, with or without a token. */
export const remote = (url: string, token: Redacted.Redacted | null) =>
  HttpClient.HttpClient.pipe(
    Effect.flatMap((http) => clientOver(http, url, token)),
    Effect.provide(FetchHttpClient.layer),
    Effect.map((client): Connection => ({ client, publicUrl: url, reached: "network" }))
  )

const bySocket = Effect.fnUntraced(function* (directory: string) {
  const http = yield* Layer.build(
    NodeHttpClient.layerNodeHttpOptions({ socketPath: socketOf(directory), keepAlive: false })
  )
  const client = yield* clientOver(Context.get(http, HttpClient.HttpClient), "http://localhost", null)
  const note = yield* readNote(directory)
  return { client, publicUrl: note?.publicUrl ?? "", reached: "socket" } satisfies Connection
})

const byStore = Effect.fnUntraced(function* (settings: ServerSettings) {
  const { open } = yield* Effect.promise(() => import("./Direct.ts"))
  const client = yield* clientOver(yield* open(settings), "http://localhost", null)
  return { client, publicUrl: publicUrlOf(settings), reached: "store" } satisfies Connection
})

const publicUrlOf = ({ listen: { host, port }, publicUrl, tlsCertFile }: ServerSettings): string =>
  publicUrl ?? `${tlsCertFile === null ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`

const hasStore = ({ databaseUrl, dataDirectory }: ServerSettings): boolean =>
  databaseUrl !== null || fs.existsSync(path.join(dataDirectory, "pgdata"))

/** How long one process, a command or a server that is starting, may keep the embedded store to itself: 15 seconds. */
const patience = { tries: 60, pause: "250 millis" } as const

const local = Effect.gen(function* () {
  const { settings } = yield* Load.server({})
  const directory = settings.dataDirectory
  const once = Effect.gen(function* () {
    if (yield* answers(socketOf(directory))) return yield* bySocket(directory)
    if (!hasStore(settings))
      return yield* failed(
        `no server runs on the data directory ${directory}, and no database is there: start one with \`npm start\` ` +
          "or `vpnmgr serve`, name another directory with --data-directory, or a server elsewhere with --url"
      )
    return yield* byStore(settings)
  })
  const connect = (tries: number, holder: string): Effect.Effect<Connection, Failed, Scope.Scope> =>
    Effect.catchIf(
      once,
      ({ message, status }) => status === 503 && (tries > 0 || message !== holder),
      ({ message }) =>
        Effect.delay(
          Effect.suspend(() => connect(message === holder ? tries - 1 : patience.tries, message)),
          patience.pause
        )
    )
  return yield* connect(patience.tries, "")
})

/** Connects as the flags and the environment say. */
export const connect = Effect.gen(function* () {
  const url = yield* remoteUrl
  return url === null ? yield* local : yield* remote(url, yield* tokenFor(url))
})
