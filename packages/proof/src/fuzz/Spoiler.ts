/** The control of the fuzz run: a proxy that lets everything through but spoils some answers, each in its own way. */
import * as Proxy from "./Proxy.ts"

/** What it spoils, as the run must name it. */
export const planted = [
  "groups.get JsonSchemaError",
  "groups.change nothing_changed",
  "groups.change UndefinedStatusCode",
  "groups.remove ServerError"
] as const

/** The operations that a control needs. */
export const operations: ReadonlyArray<string> = [...new Set(planted.map((name) => name.split(" ")[0]!))]

export interface Spoiler extends Proxy.Proxy {
  /** How many answers it has spoilt. */
  readonly spoilt: () => number
}

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

  const spoil = async ({ method, status, text }: Proxy.Exchange): Promise<readonly [number, string]> => {
    spoilt += 1
    const turn = (count += 1) % 2 === 0
    if (method === "GET" && status === 200) return [status, text.replace(/"created_at":"[^"]*"/, '"created_at":7')]
    if (method === "PATCH" && status >= 400 && turn) return [418, text]
    if (method === "PATCH" && status >= 400) await changeSomething()
    if (method === "DELETE" && status === 404) return [500, text]
    return [status, text]
  }

  const proxy = await Proxy.start(url, {
    on: (exchange) => (/^\/api\/v1\/groups\/[^/]+$/.test(exchange.path) ? spoil(exchange) : undefined)
  })
  return { ...proxy, spoilt: () => spoilt }
}
