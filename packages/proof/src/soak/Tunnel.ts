/** Subscribers of the real node: one downloads all the time and begins again when it is cut, others come and go. */
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type * as Api from "../Api.ts"
import * as Client from "../Client.ts"
import * as Expect from "../Expect.ts"
import * as Flow from "../Flow.ts"
import type { Ground } from "./Ground.ts"

type Protocol = keyof Ground["inbounds"]

export interface Tunnel {
  readonly protocol: Protocol
  readonly subscription: Api.Subscription
  /** The credential's part of its pairs' names, such as `c17`. */
  readonly credential: string
  readonly client: Client.Client
  /** Payload bytes that arrived in all. */
  readonly received: () => number
  /** The flow that is open now. */
  readonly flow: () => Flow.Flow | undefined
  /** How often a flow ended. */
  readonly ended: () => number
  /** The longest time without a byte, milliseconds. */
  readonly longestGap: () => number
  readonly isStopped: () => boolean
  readonly stop: () => Promise<void>
}

/** Bytes per second. */
export const rate = 400_000
const asMuchAsEver = 10_000_000_000

/** Waits until the real node serves the subscription's newest change. */
export const converged = ({ api, node }: Pick<Ground, "api" | "node">, id: string, timeout = 30_000) =>
  Expect.soon(
    "the real node serves the newest change",
    timeout,
    async () => ((await api.get(id)).pending_node_ids.includes(node.id) ? undefined : true),
    () => `${id} is pending`,
    100
  )

/** Creates a subscription on an inbound of the real node and downloads with it until stopped. */
export const open = async (ground: Ground, protocol: Protocol, draft: Api.Draft = {}): Promise<Tunnel> => {
  const { api, binary, directory, inbounds, node, origin, servers } = ground
  const subscription = await api.create({ title: `tunnel ${protocol}`, inbound_ids: [inbounds[protocol]], ...draft })
  await converged(ground, subscription.id)
  const { config } = await Client.fetchConfig(`${servers[0]!.url}${subscription.config_path}`)
  const home = join(directory, "clients")
  const of = { binary, config: Expect.present("a config", config), protocol, server: node.address, origin }
  const client = await Client.start({ ...of, directory: home })
  const pair = Expect.present("the subscriber in the node's config", await node.pairOf(client.secret))
  const over = new AbortController()
  const done: Array<{ readonly received: number; readonly gap: number }> = []
  let current: Flow.Flow | undefined
  const loading = (async () => {
    for (; !over.signal.aborted; await sleep(200)) {
      current = client.open({ direction: "down", bytes: asMuchAsEver, rate })
      await current.end
      done.push({ received: current.received, gap: Flow.longestGap(current) })
      current = undefined
    }
  })()
  return {
    protocol,
    subscription,
    credential: pair.split(".")[0]!,
    client,
    received: () => done.reduce((sum, { received }) => sum + received, current?.received ?? 0),
    flow: () => current,
    ended: () => done.length,
    longestGap: () => Math.max(0, ...done.map(({ gap }) => gap), current === undefined ? 0 : Flow.longestGap(current)),
    isStopped: () => over.signal.aborted,
    stop: async () => {
      over.abort()
      current?.close()
      await loading
      await client.close()
    }
  }
}
