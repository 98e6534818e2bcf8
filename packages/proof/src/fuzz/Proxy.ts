/** A proxy in front of a server: what passes can be looked at, and answered otherwise. */
import { once } from "node:events"
import { Agent, createServer, type IncomingHttpHeaders, type IncomingMessage, request as ask } from "node:http"
import type { AddressInfo } from "node:net"

export interface Exchange {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly requestHeaders: IncomingHttpHeaders
  readonly requestBody: string
  readonly status: number
  readonly text: string
}

export interface Options {
  /** The address requests come from; the system's choice by default. */
  readonly from?: string
  /** Added to every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Sees each exchange before it is answered; what it answers is sent instead. */
  readonly on: (exchange: Exchange) => Promise<readonly [status: number, text: string]> | undefined
}

export interface Proxy {
  readonly url: string
  readonly close: () => void
}

const hopByHop = new Set(["connection", "content-length", "host", "transfer-encoding"])

const bodyOf = async (message: IncomingMessage) => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of message) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

const kept = (headers: IncomingHttpHeaders) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))

/** Starts one in front of `url`. */
export const start = async (url: string, { from, headers, on }: Options): Promise<Proxy> => {
  const agent = new Agent({ keepAlive: true, ...(from === undefined ? {} : { localAddress: from }) })
  const { hostname, port } = new URL(url)

  const forward = async (request: IncomingMessage, body: Buffer): Promise<readonly [IncomingMessage, string]> => {
    const sent = ask({
      agent,
      hostname,
      port,
      method: request.method,
      path: request.url,
      headers: {
        ...kept(request.headers),
        ...headers,
        ...(body.length > 0 || request.headers["content-type"] !== undefined ? { "content-length": body.length } : {})
      }
    })
    const [answered] = (await once(sent.end(body), "response")) as [IncomingMessage]
    return [answered, (await bodyOf(answered)).toString("utf8")]
  }

  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    try {
      const [answered, text] = await forward(request, body)
      const [path = "/", query = ""] = (request.url ?? "/").split("?")
      const exchange = {
        method: request.method ?? "GET",
        path,
        query,
        requestHeaders: request.headers,
        requestBody: body.toString("utf8"),
        status: answered.statusCode ?? 0,
        text
      }
      const [status, sent] = (await on(exchange)) ?? [exchange.status, text]
      response.writeHead(status, kept(answered.headers)).end(request.method === "HEAD" ? undefined : sent)
    } catch {
      response.destroy()
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close()
      agent.destroy()
    }
  }
}
