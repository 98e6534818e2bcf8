/** Batches as agents send them, made up: many spools that name the same credentials in different orders, all at once. */
import { randomUUID } from "node:crypto"

export interface Sender {
  /** The node's key. */
  readonly key: string
  /** The node's inbound, by the number in its pairs' names. */
  readonly inbound: number
}

export interface Sent {
  readonly credential: number
  readonly bytes: bigint
}

export interface Batch {
  readonly sender: Sender
  readonly body: string
  readonly entries: ReadonlyArray<Sent>
}

/** The next batch of a spool: it names every credential, in an order of its own. */
export const next = (
  sender: Sender,
  credentials: ReadonlyArray<number>,
  { seq, spool }: { readonly spool: string; readonly seq: number },
  random: () => number
): Batch => {
  const now = new Date()
  const entries = credentials
    .map((credential) => ({
      credential,
      up: Math.floor(random() * 1000),
      down: 1 + Math.floor(random() * 100_000),
      at: random()
    }))
    .sort((a, b) => a.at - b.at)
  const batch = {
    spool,
    seq,
    from: new Date(now.getTime() - 1000).toISOString(),
    to: now.toISOString(),
    entries: entries.map(({ credential, down, up }) => ({
      credential,
      inbound: sender.inbound,
      bytes_up: up,
      bytes_down: down
    }))
  }
  const report = { batch, sent_at: now.toISOString(), lowest: seq, agent_version: "proof", plane_version: null }
  return {
    sender,
    body: JSON.stringify(report),
    entries: entries.map(({ credential, down, up }) => ({ credential, bytes: BigInt(up + down) }))
  }
}

/** `count` batches of spools of their own. */
export const make = (
  senders: ReadonlyArray<Sender>,
  credentials: ReadonlyArray<number>,
  count: number,
  random: () => number
): ReadonlyArray<Batch> =>
  Array.from({ length: count }, (_, index) =>
    next(senders[index % senders.length]!, credentials, { spool: randomUUID(), seq: 1 }, random)
  )

/** The headers a batch is sent with. */
export const headersOf = ({ key }: Sender): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${key}`,
  "content-type": "application/json",
  "vpnmgr-protocol": "1.0"
})

/** Posts a batch; answers the status and the body. */
export const post = async (url: string, { body, sender }: Pick<Batch, "body" | "sender">) => {
  const response = await fetch(`${url}/node/v1/reports`, {
    method: "POST",
    headers: headersOf(sender),
    body,
    signal: AbortSignal.timeout(30_000)
  })
  return { status: response.status, text: await response.text() }
}
