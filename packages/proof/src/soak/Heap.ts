/**
 * What a Node program's heap really holds: its inspector is opened by SIGUSR1, as an operator would, and asked for the
 * size after everything that nobody holds was collected. What is resident says less: a heap is collected when it must be.
 */
import { setTimeout as sleep } from "node:timers/promises"
import * as Memory from "./Memory.ts"

const port = 9229
const patience = 30_000

/** Until the pages that were freed are given back, milliseconds. */
const settled = 1000

interface Reply {
  readonly id?: number
  readonly result?: { readonly usedSize?: number }
}

const addressOf = async (): Promise<string> => {
  for (const until = Date.now() + patience; ; await sleep(100)) {
    const listed = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => undefined)
    const [target] =
      ((await listed?.json()) as ReadonlyArray<{ readonly webSocketDebuggerUrl: string }> | undefined) ?? []
    if (target !== undefined) return target.webSocketDebuggerUrl
    if (Date.now() > until) throw new Error("the inspector does not answer")
  }
}

/** MB: what the heap holds, and what is resident, once nothing is left to collect. */
export interface Held {
  readonly heap: number
  readonly resident: number
}

/** Collects what nobody holds, and answers what the process holds then. One process in a namespace, always the same. */
export const held = async (pid: number): Promise<Held> => {
  process.kill(pid, "SIGUSR1")
  const socket = new WebSocket(await addressOf())
  const ask = (id: number, method: string) =>
    new Promise<Reply>((resolve, reject) => {
      const hear = ({ data }: MessageEvent) => {
        const reply = JSON.parse(String(data)) as Reply
        if (reply.id === id) resolve(reply)
      }
      socket.addEventListener("message", hear)
      socket.addEventListener("error", () => reject(new Error("the inspector was lost")))
      socket.send(JSON.stringify({ id, method }))
    })
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }))
  await ask(1, "HeapProfiler.collectGarbage")
  const { result } = await ask(2, "Runtime.getHeapUsage")
  socket.close()
  await sleep(settled)
  return { heap: (result?.usedSize ?? Number.NaN) / 2 ** 20, resident: await Memory.resident(pid) }
}
