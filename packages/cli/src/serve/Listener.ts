/** The two doors of a server: TCP, with TLS where it was given a certificate, and the socket in the data directory. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { HttpServer, Listening } from "@vpnmgr/http-server"
import { Effect, Layer } from "effect"
import * as fs from "node:fs"
import type * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import { failed } from "../Failed.ts"
import type { Failed } from "../Failed.ts"
import type { ServerSettings } from "../settings/ServerSettings.ts"

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Lets nobody speak to a server in the clear but the proxies named, and this host itself. */
const onlyFrom = (server: http.Server, proxies: ReadonlyArray<string>): http.Server => {
  const known = new net.BlockList()
  for (const address of ["127.0.0.1", "::1", ...proxies])
    known.addAddress(address, net.isIPv6(address) ? "ipv6" : "ipv4")
  return server.on("connection", (socket: net.Socket) => {
    const family = socket.remoteFamily === "IPv6" ? "ipv6" : "ipv4"
    if (!known.check(socket.remoteAddress ?? "", family)) socket.destroy()
  })
}

/** Makes the server that will listen on TCP. */
export const makeServer = ({
  tlsCertFile,
  tlsKeyFile,
  trustedProxies
}: Pick<ServerSettings, "tlsCertFile" | "tlsKeyFile" | "trustedProxies">) =>
  Effect.try({
    try: (): http.Server => {
      if (tlsCertFile !== null && tlsKeyFile !== null)
        return Listening.createServer({ cert: fs.readFileSync(tlsCertFile), key: fs.readFileSync(tlsKeyFile) })
      return trustedProxies === null ? Listening.createServer() : onlyFrom(Listening.createServer(), trustedProxies)
    },
    catch: (error) => failed(`the TLS files or the trusted proxies cannot be used: ${reason(error)}`)
  })

const refused = (where: string, hint: string, cause: unknown) =>
  failed(
    cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE"
      ? `${where} is taken: another program listens there${hint}`
      : `cannot listen on ${where}: ${reason(cause)}`
  )

/** Says at once when the address is taken, before a store is opened. */
export const isFree = ({ host, port }: ServerSettings["listen"]) =>
  Effect.callback<void, Failed>((resume) => {
    const probe = net.createServer()
    probe.once("error", (cause) => resume(refused(`${host}:${port}`, "; choose another with --listen", cause)))
    probe.listen({ host, port }, () => probe.close(() => resume(Effect.void)))
  })

/** Serves on TCP. */
export const tcp = (server: http.Server, { host, port }: ServerSettings["listen"]) =>
  Layer.fresh(HttpServer.serve({ local: false, server })).pipe(
    Layer.provide(NodeHttpServer.layer(() => server, { host, port })),
    Layer.catchTag("ServeError", ({ cause }) =>
      Layer.effectDiscard(refused(`${host}:${port}`, "; choose another with --listen", cause))
    )
  )

/** Serves whoever may open the socket, which is the server's own user alone, as the system. */
export const socket = (path: string) =>
  Layer.fresh(HttpServer.serve({ local: true })).pipe(
    Layer.provide(NodeHttpServer.layer(() => Listening.createServer(), { path })),
    Layer.catchTag("ServeError", ({ cause }) => Layer.effectDiscard(refused(path, "", cause))),
    Layer.tap(() => Effect.sync(() => fs.chmodSync(path, 0o600)))
  )

/** Where a server listens, as a URL. */
export const urlOf = (server: http.Server, { host, port }: ServerSettings["listen"]): string => {
  const address = server.address()
  const bound = typeof address === "object" && address !== null ? address.port : port
  return `${server instanceof https.Server ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${bound}`
}
