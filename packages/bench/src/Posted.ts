/** Reports as an agent of one spool posts them, one after another, each of what was counted within the last second. */
import { randomUUID } from "node:crypto"

/** Posts so many bytes for each of some credentials; answers when that was acknowledged, ms since the epoch. */
export type Report = (credentials: ReadonlyArray<number>, bytes: number) => Promise<number>

/** Makes a spool of the node with this key, which counts at one inbound. */
export const make = (url: string, key: string, inbound: number): Report => {
  const spool = randomUUID()
  let seq = 0
  let last: Promise<unknown> = Promise.resolve()
  const post = async (credentials: ReadonlyArray<number>, bytes: number) => {
    const now = Date.now()
    const times = { from: new Date(now - 1000).toISOString(), to: new Date(now).toISOString() }
    const entries = credentials.map((credential) => ({ credential, inbound, bytes_up: 0, bytes_down: bytes }))
    const batch = { spool, seq: ++seq, ...times, entries }
    const rest = { sent_at: times.to, lowest: seq, agent_version: "bench", plane_version: null }
    const response = await fetch(`${url}/node/v1/reports`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "vpnmgr-protocol": "1.0" },
      body: JSON.stringify({ batch, ...rest })
    })
    const at = Date.now()
    const text = await response.text()
    if (response.status !== 200) throw new Error(`a report was answered ${response.status}: ${text}`)
    return at
  }
  return (credentials, bytes) => {
    const posted = last.then(() => post(credentials, bytes))
    last = posted.catch(() => undefined)
    return posted
  }
}
