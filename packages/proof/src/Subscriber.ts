/**
 * A subscription with everything that passed for it, counted four times: at the client's sockets, at the origin's
 * sockets, by the plane's own counters and by the control plane.
 */
import type { Api, Draft, Subscription } from "./Api.ts"
import type { Arena } from "./Arena.ts"
import * as Client from "./Client.ts"
import type { Counters } from "./Counters.ts"
import * as Expect from "./Expect.ts"
import type { Flow, Request } from "./Flow.ts"

/** Payload bytes from the client and to it. */
export interface Bytes {
  readonly up: bigint
  readonly down: bigint
}

/** The same traffic as each of the four saw it. */
export interface Accounts {
  readonly client: Bytes
  readonly origin: Bytes
  readonly plane: Bytes
  readonly usage: Bytes
  /** Connections that reached the origin and did not end whole. */
  readonly cuts: number
}

/**
 * What a cut may let through uncounted, bytes per connection: sing-box adds a write to its counters when the write has
 * returned, and one that a cut ends halfway has delivered something by then. Seen: 16,384 on vless, 38,232 on hysteria2.
 */
const lastWrite = 65_536

export interface Subscriber {
  readonly id: string
  readonly api: Api
  /** As it was when it was made or last rotated. */
  readonly subscription: () => Subscription
  /** Fetches its config and starts a client on it. */
  readonly client: (protocol: Client.Protocol, node?: number) => Promise<Client.Client>
  /** Makes a request by way of a client, and books it. */
  readonly open: (client: Client.Client, request: Request) => Flow
  /** Makes a request that must be let in, books it, and answers it with its first byte. */
  readonly begin: (client: Client.Client, request: Request) => Promise<Flow>
  /** How many of its requests reached the origin and brought nothing back. */
  readonly dropped: () => number
  /** Small requests until one comes back whole; booked. Answers when that was, ms since the epoch. */
  readonly passes: (client: Client.Client, timeout: number) => Promise<number>
  /** One small request, booked; true when not a byte of it reached the origin or came back. */
  readonly isRefused: (client: Client.Client) => Promise<boolean>
  readonly rotate: () => Promise<void>
  /** What its flows add up to now. */
  readonly accounts: () => Promise<Accounts>
  /** Waits until usage has caught up with the plane's counters, to the byte. */
  readonly settled: (timeout: number) => Promise<Accounts>
}

/** How a subscriber's pairs are found in the counters of the nodes. */
export type CountersOf = () => Promise<ReadonlyArray<Counters>>

const zero: Bytes = { up: 0n, down: 0n }
const plus = (a: Bytes, b: Bytes): Bytes => ({ up: a.up + b.up, down: a.down + b.down })

/** Both directions together. */
export const total = ({ down, up }: Bytes): bigint => up + down

/** Says what differs, by where it was left; "equal" when nothing does. */
export const residue = ({ client, origin, plane, usage }: Omit<Accounts, "cuts">): string => {
  const differences: ReadonlyArray<readonly [string, bigint]> = [
    ["not counted up", plane.up - usage.up],
    ["not counted down", plane.down - usage.down],
    ["upload cut between client and node", client.up - plane.up],
    ["upload cut between node and origin", plane.up - origin.up],
    ["download left in the node's socket from the origin", origin.down - plane.down],
    ["download cut between node and client", plane.down - client.down],
    ["delivered in a write that the cut ended before sing-box counted it", client.down - plane.down]
  ]
  const isOneSided = (where: string) => where.startsWith("download cut") || where.startsWith("delivered")
  const left = differences.filter(([where, bytes]) => (isOneSided(where) ? bytes > 0n : bytes !== 0n))
  return left.length === 0 ? "equal" : left.map(([where, bytes]) => `${bytes} B ${where}`).join(", ")
}

/** Usage equals the plane; where nothing was cut, origin and client saw the same; where something was, what may be. */
export const agree = (accounts: Accounts): void => {
  const { client, cuts, origin, plane, usage } = accounts
  Expect.same("usage up, against the plane's counters", usage.up, plane.up)
  Expect.same("usage down, against the plane's counters", usage.down, plane.down)
  if (cuts === 0) return Expect.same("origin, plane and client", residue(accounts), "equal")
  Expect.atMost("the plane's downlink, against what the origin sent", plane.down, origin.down)
  Expect.atMost("what the client received, against the origin's", client.down, origin.down)
  Expect.atMost("delivered and not counted", client.down - plane.down, BigInt(cuts * lastWrite))
  Expect.atMost("the plane's uplink, against what the client sent", plane.up, client.up)
  Expect.atMost("what the origin received, against the plane's uplink", origin.up, plane.up)
}

/** Creates a subscription and keeps its books. */
export const create = async (arena: Arena, counters: CountersOf, draft: Draft): Promise<Subscriber> => {
  const { api, origin } = arena
  let subscription = await api.create(draft)
  const { id } = subscription
  const flows: Array<Flow> = []
  const credentials = new Set<string>()
  const secrets = new Set<string>()

  const open: Subscriber["open"] = (client, request) => {
    const flow = client.open(request)
    flows.push(flow)
    secrets.add(client.secret)
    return flow
  }

  const learn = async () => {
    for (const node of arena.nodes) {
      for (const { name, secret } of await node.listed()) if (secrets.has(secret)) credentials.add(name.split(".")[0]!)
    }
  }

  const accounts = async (): Promise<Accounts> => {
    await learn()
    let [client, far, plane] = [zero, zero, zero]
    let cuts = 0
    for (const flow of flows) {
      const seen = origin.count(flow.token)
      if (seen.connections > 0 && !flow.isWhole) cuts++
      far = plus(far, { up: seen.received, down: seen.sent })
      client = plus(client, { up: seen.connections === 0 ? 0n : BigInt(flow.sent), down: BigInt(flow.received) })
    }
    for (const node of await counters()) {
      for (const [name, counter] of node) if (credentials.has(name.split(".")[0]!)) plane = plus(plane, counter)
    }
    return { client, origin: far, plane, usage: await api.usage(id), cuts }
  }

  const small = { direction: "down", bytes: 1, timeout: 3000 } as const
  return {
    id,
    api,
    subscription: () => subscription,
    client: (protocol, node) => arena.client(subscription, protocol, node),
    open,
    begin: (client, request) => Client.begin((request) => open(client, request), origin, request),
    dropped: () =>
      flows.filter(({ isOpen, received, token }) => !isOpen && received === 0 && origin.count(token).connections > 0)
        .length,
    passes: async (client, timeout) =>
      Expect.soon(`${client.protocol} passes`, timeout, async () =>
        (await open(client, small).end) === "whole" ? Date.now() : undefined
      ),
    isRefused: async (client) => {
      const flow = open(client, small)
      const ending = await flow.end
      return ending === "refused" && origin.count(flow.token).connections === 0
    },
    rotate: async () => {
      subscription = await api.act(id, "rotate")
    },
    accounts,
    settled: async (timeout) => {
      let last: Accounts | undefined
      return Expect.soon(
        "usage equals the plane's counters",
        timeout,
        async () => {
          last = await accounts()
          const isSame = last.usage.up === last.plane.up && last.usage.down === last.plane.down
          return isSame && total(last.plane) > 0n ? last : undefined
        },
        () => (last === undefined ? "nothing" : residue(last)),
        100
      )
    }
  }
}

/** The outbound's secret at an inbound, in a config. */
export const secretAt = (config: Client.Config, protocol: Client.Protocol, server: string): string =>
  Client.secretOf(Expect.present(`a ${protocol} outbound`, Client.outboundOf(config, protocol, server)))
