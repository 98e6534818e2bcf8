/** The server's API as any HTTP client uses it: plain fetch, snake_case, no code of the product. */

export interface Convergence {
  readonly node_id: string
  readonly converged: boolean
}

export interface Subscription {
  readonly id: string
  readonly state: "suspended" | "expired" | "over_limit" | "active"
  readonly is_over_limit: boolean
  readonly over_limit_until: string | null
  readonly max_traffic: number | null
  readonly used_bytes: number
  readonly window_start: string | null
  readonly window_end: string | null
  readonly inbound_ids: ReadonlyArray<string>
  /** `/s/…` */
  readonly config_path: string
  readonly convergence: ReadonlyArray<Convergence>
  readonly pending_node_ids: ReadonlyArray<string>
}

/** What may be said of a subscription when it is made or changed. */
export interface Draft {
  readonly title?: string
  readonly max_traffic?: number | null
  readonly traffic_reset_period?: string | null
  readonly anchor?: string
  readonly expires_at?: string | null
  readonly inbound_ids?: ReadonlyArray<string>
}

export interface UsagePiece {
  readonly inbound_id: string
  readonly bytes_up: number
  readonly bytes_down: number
}

export interface Inbound {
  readonly id: string
  readonly node_id: string
  readonly protocol: string
  readonly is_servable: boolean
}

export interface Pool {
  readonly spares: number
  readonly target: number
  readonly unreleased: number
}

/** An answer that was not asked for: the status, and what the body says. */
export class Refused extends Error {
  readonly status: number
  constructor(method: string, path: string, status: number, body: string) {
    super(`${method} ${path}: ${status} ${body.slice(0, 500)}`)
    this.status = status
  }
}

export interface Api {
  readonly url: string
  readonly request: <A>(method: string, path: string, body?: unknown) => Promise<A>
  /** Signs in; later requests carry the token. */
  readonly signIn: (username: string, password: string) => Promise<void>
  readonly createNode: (description: string) => Promise<{ readonly id: string }>
  readonly createToken: (nodeId: string) => Promise<{ readonly id: string; readonly key: string }>
  readonly createInbound: (draft: Record<string, unknown>) => Promise<Inbound>
  readonly inbounds: () => Promise<ReadonlyArray<Inbound>>
  readonly create: (draft: Draft) => Promise<Subscription>
  readonly get: (id: string) => Promise<Subscription>
  readonly change: (id: string, patch: Draft) => Promise<Subscription>
  readonly act: (id: string, action: "suspend" | "resume" | "reset" | "rotate") => Promise<Subscription>
  readonly link: (id: string, inboundIds: ReadonlyArray<string>) => Promise<Subscription>
  readonly remove: (id: string) => Promise<void>
  /** All that was counted for a subscription, both directions, over all windows. */
  readonly usage: (id: string) => Promise<{ readonly up: bigint; readonly down: bigint }>
  readonly pool: () => Promise<Pool>
  readonly refill: () => Promise<{ readonly added: number }>
}

/** A client of the server at `url`. */
export const make = (url: string): Api => {
  let token: string | undefined

  const request = async <A>(method: string, path: string, body?: unknown): Promise<A> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000)
    })
    const text = await response.text()
    if (!response.ok) throw new Refused(method, path, response.status, text)
    return (text === "" ? undefined : JSON.parse(text)) as A
  }

  return {
    url,
    request,
    signIn: async (username, password) => {
      const grant = await request<{ readonly token: string }>("POST", "/session", { username, password })
      token = grant.token
    },
    createNode: (description) => request("POST", "/nodes", { description }),
    createToken: (nodeId) => request("POST", `/nodes/${nodeId}/tokens`),
    createInbound: (draft) => request("POST", "/inbounds", draft),
    inbounds: async () =>
      (await request<{ readonly items: ReadonlyArray<Inbound> }>("GET", "/inbounds?limit=100")).items,
    create: (draft) => request("POST", "/subscriptions", draft),
    get: (id) => request("GET", `/subscriptions/${id}`),
    change: (id, patch) => request("PATCH", `/subscriptions/${id}`, patch),
    act: (id, action) => request("POST", `/subscriptions/${id}/${action}`),
    link: (id, inboundIds) => request("PUT", `/subscriptions/${id}/inbounds`, { inbound_ids: inboundIds }),
    remove: (id) => request("DELETE", `/subscriptions/${id}`),
    usage: async (id) => {
      const { items } = await request<{ readonly items: ReadonlyArray<UsagePiece> }>(
        "GET",
        `/subscriptions/${id}/usage`
      )
      return {
        up: items.reduce((sum, piece) => sum + BigInt(piece.bytes_up), 0n),
        down: items.reduce((sum, piece) => sum + BigInt(piece.bytes_down), 0n)
      }
    },
    pool: () => request("GET", "/spares"),
    refill: () => request("POST", "/spares/refill")
  }
}
