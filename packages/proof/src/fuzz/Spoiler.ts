/** The control of the fuzz run: a proxy that lets everything through but spoils three answers, each in another way. */
import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"

/** What it spoils, as the run must name it. */
export const planted = [
  "groups.get JsonSchemaError",
  "groups.change nothing_changed",
  "groups.change UndefinedStatusCode",
  "groups.remove ServerError"
] as const

/** The operations that a control needs. */
export const operations: ReadonlyArray<string> = [...new Set(planted.map((name) => name.split(" ")[0]!))]

export interface Spoiler {
  readonly url: string
  readonly spoilt: () => number
  readonly close: () => void
}

const hopByHop = new Set(["connection", "content-length", "host", "transfer-encoding"])

const bodyOf = async (request: IncomingMessage) => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

const forwarded = ({ headers }: IncomingMessage) =>
  Object.entries(headers).flatMap(([name, value]): Array<[string, string]> =>
    hopByHop.has(name) || value === undefined ? [] : [[name, String(value)]]
  )

/** Starts it in front of a server. `token` is a superuser's: what changes behind a refusal is done with it. */
export const start = async (url: string, token: string): Promise<Spoiler> => {
  let spoilt = 0
  let count = 0

  const changeSomething = () =>
    fetch(`${url}/api/v1/groups`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: `planted ${(count += 1)}` })
    })

  /** The status and the body as they are sent on. */
  const spoil = async (method: string, path: string, status: number, text: string): Promise<[number, string]> => {
    if (!/^\/api\/v1\/groups\/[^/]+$/.test(path)) return [status, text]
    const turn = (count += 1) % 2 === 0
    if (method === "GET" && status === 200) return [status, text.replace(/"created_at":"[^"]*"/, '"created_at":7')]
    if (method === "PATCH" && status >= 400 && turn) return [418, text]
    if (method === "PATCH" && status >= 400) await changeSomething()
    if (method === "DELETE" && status === 404) return [500, text]
    return [status, text]
  }

  const server = createServer(async (request, response) => {
    const { method = "GET", url: target = "/" } = request
    const body = await bodyOf(request)
    const answered = await fetch(`${url}${target}`, {
      method,
      headers: forwarded(request),
      ...(body.length > 0 && method !== "GET" ? { body } : {})
    })
    const text = await answered.text()
    const [status, sent] = await spoil(method, target.split("?")[0]!, answered.status, text)
    if (status !== answered.status || sent !== text) spoilt += 1
    const headers = [...answered.headers].filter(([name]) => !hopByHop.has(name) && name !== "content-encoding")
    response.writeHead(status, Object.fromEntries(headers)).end(sent)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, spoilt: () => spoilt, close: () => void server.close() }
}
