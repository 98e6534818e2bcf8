/** Subscribers that download all the time, each at a steady rate, and begin again when their connection is gone. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Arena } from "../Arena.ts"
import type { Client, Protocol } from "../Client.ts"
import type { Flow } from "../Flow.ts"

export interface Place {
  readonly protocol: Protocol
  /** The index of the node it goes through. */
  readonly node: number
}

export interface Loaded extends Place {
  readonly subscriptionId: string
  /** The credential's part of its pairs' names, such as `c17`. */
  readonly credential: string
  /** The connection that is open now. */
  readonly flow: () => Flow | undefined
  /** Payload bytes its client has read in all. */
  readonly received: () => number
  /** Ends the download and its client. */
  readonly stop: () => Promise<void>
}

/** Bytes per second of each subscriber. */
export const rate = 2_000_000

const asMuchAsEver = 10_000_000_000

/** Creates a subscription at a place, and downloads with it until stopped. */
export const start = async (arena: Arena, { node, protocol }: Place): Promise<Loaded> => {
  const inboundIds = arena.inbounds({ nodes: [node], protocols: [protocol] })
  const subscription = await arena.api.create({ title: `${protocol} ${node}`, inbound_ids: inboundIds })
  await arena.converged(subscription.id)
  const client: Client = await arena.client(subscription, protocol, node)
  const pair = await arena.nodes[node]!.pairOf(client.secret)
  if (pair === undefined) throw new Error(`node ${node} does not list the subscriber`)
  const ended: Array<Flow> = []
  let current: Flow | undefined
  const over = new AbortController()
  const loading = (async () => {
    for (; !over.signal.aborted; await sleep(100)) {
      current = client.open({ direction: "down", bytes: asMuchAsEver, rate })
      await current.end
      ended.push(current)
    }
  })()
  return {
    protocol,
    node,
    subscriptionId: subscription.id,
    credential: pair.split(".")[0]!,
    flow: () => current,
    received: () =>
      [...new Set([...ended, ...(current === undefined ? [] : [current])])].reduce(
        (sum, flow) => sum + flow.received,
        0
      ),
    stop: async () => {
      over.abort()
      current?.close()
      await loading
      await client.close()
    }
  }
}
